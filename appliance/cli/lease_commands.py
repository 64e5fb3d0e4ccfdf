"""Commands about driving over the network: lease, lease grant, people, revoke.

A token is made on the appliance itself and printed there, this once: it never passes through the page or its API, which
speak plain HTTP.
"""

from __future__ import annotations

import time
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from appliance import config as configuration
from appliance.cli import view
from appliance.cli.context import Context, reported
from appliance.errors import Conflict
from appliance.lease import keys
from appliance.lease.permissions import Permissions
from appliance.lease_shapes import LeasePerson, LeaseView, NewLease
from appliance.waiting import about
from gym_raas.remote_token import LeaseToken
from gym_raas.remote_wire import DEFAULT_PORT

lease = typer.Typer(invoke_without_command=True, help="Driving the robot from a program elsewhere, over the network.")
_DAY_S = 86_400.0

Person = Annotated[str, typer.Argument(help="Who; the name stands beside this person's jobs")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    lease.callback()(show)
    for command in (grant, people, revoke):
        lease.command()(command)
    app.add_typer(lease, name="lease")


def show(context: typer.Context) -> None:
    """Say whether programs elsewhere may drive, and which address they use."""
    if context.invoked_subcommand is not None:
        return
    shared: Context = context.obj
    with reported():
        found = shared.client.lease()
        shared.show(found, _explained(found, address_of(shared.client.url, found.port)))


def grant(
    context: typer.Context,
    name: Person,
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="How long it lasts; default: no end")] = None,
) -> None:
    """Let somebody drive: print a token, this once. On the appliance, as root; it is never sent over HTTP."""
    shared: Context = context.obj
    with reported():
        if shared.remote:
            raise Conflict("Tokens for driving are made on the appliance itself. Log in there and leave out --url.")
        configuration.load(shared.paths.config)
        made = made_token(shared, name, days)
        keep = view.said(
            "Copy it now: only its public half is kept. Hand it over in private, never by plain HTTP.", "dim"
        )
        shared.show(
            made, Group(view.done(f"The token of {name} for driving:"), Padding(Text(made.token), (1, 2)), keep)
        )


def made_token(shared: Context, name: str, days: int | None) -> NewLease:
    """Grant it, and make its text. Raises RaasError."""
    checked = name.strip()
    if not checked.isprintable() or not 0 < len(checked) <= 40:
        raise Conflict("A name has 1 to 40 printable characters.")
    server, secret = keys.server_secret(shared.paths.lease), keys.new_secret()
    permissions = Permissions(shared.paths.database)
    try:
        permissions.grant(checked, keys.public(secret), time.time(), None if days is None else days * _DAY_S)
    finally:
        permissions.close()
    return NewLease(name=checked, token=LeaseToken(keys.public(server), secret).text())


def people(context: typer.Context) -> None:
    """List who may drive over the network, and until when."""
    shared: Context = context.obj
    with reported():
        found = shared.client.lease_people()
        shared.show(
            found, _table(found) if found else "Nobody may yet. `raas lease grant NAME`, on the appliance, lets one."
        )


def revoke(context: typer.Context, name: Person) -> None:
    """Take it back; a lease of this person ends at once."""
    shared: Context = context.obj
    with reported():
        left = shared.client.revoke_lease(name)
        shared.show(left, view.done(f"{name} may drive over the network no longer."))


def address_of(url: str, port: int) -> str:
    """What a program puts in as `robot`, for the appliance whose page is at `url`."""
    host = urlsplit(url).hostname or "localhost"
    host = f"[{host}]" if ":" in host else host
    return f"raas://{host}" + ("" if port == DEFAULT_PORT else f":{port}")


def _explained(found: LeaseView, address: str) -> RenderableType:
    if not found.enabled:
        return "Driving over the network is off. The owner switches it on in raas.yaml: lease: {enabled: true}."
    program = f"env = gymnasium.make('raaspendulum-v1', robot='{address}', token='raaslease_...')"
    return Group(
        view.done(f"Programs with a token may drive this robot at {address}."),
        Padding(Text(program), (1, 2)),
        f"At most {about(found.limit_s)} at a time and {about(found.quota_s)} within 24 hours for each person."
        " The owner makes a token on the appliance: raas lease grant NAME",
    )


def _table(found: list[LeasePerson]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("name", "since", "until"):
        table.add_column(title)
    for person in found:
        until = (
            Text("has ended", "red") if person.ended else Text(view.day(person.ends_at) if person.ends_at else "no end")
        )
        table.add_row(view.said(person.name), view.day(person.made_at), until)
    return table
