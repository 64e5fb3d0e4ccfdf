"""Commands about who may do what: tokens list, new, remove. As the owner: at home, or with an owner's token."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from rich.console import Group
from rich.padding import Padding

from appliance.cli import view
from appliance.cli.context import Context, reported
from appliance.errors import NotFound
from appliance.shapes import TokenWish

tokens = typer.Typer(no_args_is_help=True, help="Who may submit jobs or look after the robot, and until when.")

Holder = Annotated[str, typer.Argument(help="Whose token; the name stands beside this person's jobs")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command, name in ((show, "list"), (new, "new"), (remove, "remove")):
        tokens.command(name)(command)
    app.add_typer(tokens, name="tokens")


def show(context: typer.Context) -> None:
    """List who holds a token; the tokens themselves aren't kept."""
    shared: Context = context.obj
    with reported():
        found = shared.client.tokens()
        shared.show(
            found, view.token_table(found) if found else "Nobody has a token. `raas tokens new NAME` makes one."
        )


def new(
    context: typer.Context,
    name: Holder,
    right: Annotated[Literal["submit", "owner"], typer.Option(help="submit jobs, or do everything")] = "submit",
    days: Annotated[int | None, typer.Option(min=1, max=3650, help="How long it lasts; default: no end")] = None,
) -> None:
    """Hand out a token; it is shown this once."""
    shared: Context = context.obj
    with reported():
        made = shared.client.new_token(TokenWish(name=name, right=right, days=days))
        keep = view.said("Copy it now: only a hash of it is kept.", "dim")
        shared.show(made, Group(view.done(f"The token of {made.name}:"), Padding(made.token, (1, 2)), keep))


def remove(context: typer.Context, name: Holder) -> None:
    """Take a token back; it works no longer."""
    shared: Context = context.obj
    with reported():
        if name not in {token.name for token in shared.client.tokens()}:
            raise NotFound(f"Nobody called {name} has a token. `raas tokens list` says who has.")
        left = shared.client.remove_token(name)
        shared.show(left, view.done(f"The token of {name} works no longer."))
