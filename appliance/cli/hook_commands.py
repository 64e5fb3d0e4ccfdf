"""Commands about who is told when a job has ended: hooks list, add, test, remove. As the owner, as on the page."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Group
from rich.padding import Padding

from appliance.cli import view
from appliance.cli.context import Context, reported
from appliance.shapes import Hooks, HookWish

hooks = typer.Typer(no_args_is_help=True, help="Webhooks: who is told when a job has ended.")

HookId = Annotated[str, typer.Argument(metavar="ID", help="As `raas hooks list` shows it")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command, name in ((show, "list"), (add, "add"), (test, "test"), (remove, "remove")):
        hooks.command(name)(command)
    app.add_typer(hooks, name="hooks")


def show(context: typer.Context) -> None:
    """List who is told, and how the last deliveries went."""
    shared: Context = context.obj
    with reported():
        found = shared.client.hooks()
        shared.show(found, _listed(found))


def add(
    context: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="A public address over https")],
    secret: Annotated[
        str, typer.Option(envvar="RAAS_HOOK_SECRET", help="What deliveries are signed with; default: one is made")
    ] = "",
) -> None:
    """Tell an address from now on; the secret is shown this once."""
    shared: Context = context.obj
    with reported():
        made = shared.client.add_hook(HookWish(url=url, secret=secret))
        keep = view.said(f"Copy it now: it isn't shown again. `raas hooks test {made.id}` tries the address.", "dim")
        title = view.done(f"{made.url} is told when a job has ended. Its secret:")
        shared.show(made, Group(title, Padding(view.said(made.secret), (1, 2)), keep))


def test(context: typer.Context, hook_id: HookId) -> None:
    """Send a test; what came of it stands in `raas hooks list` a little later."""
    shared: Context = context.obj
    with reported():
        found = shared.client.test_hook(hook_id)
        shared.show(found, view.done("A test is on its way. `raas hooks list` says how it went."))


def remove(context: typer.Context, hook_id: HookId) -> None:
    """Tell an address no longer."""
    shared: Context = context.obj
    with reported():
        left = shared.client.remove_hook(hook_id)
        shared.show(left, view.done("It is told no longer."))


def _listed(found: Hooks) -> Group | str:
    if not found.hooks:
        return "Nobody is told yet. `raas hooks add URL` adds an address."
    deliveries = [Padding(view.delivery_table(found.deliveries), (1, 0, 0, 0))] if found.deliveries else []
    return Group(view.hook_table(found.hooks), *deliveries)
