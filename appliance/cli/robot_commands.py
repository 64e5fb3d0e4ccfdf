"""Commands about the robot: stop, resume, health, motor-off. Stopping goes to the guard itself where it can."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from appliance.cli import view
from appliance.cli.context import Context, Exit, reported
from appliance.realtime.control import GuardClient, Resume, Stop


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (stop, resume, health):
        app.command()(command)


def stop(
    context: typer.Context, why: Annotated[str, typer.Option(help="Shown to everybody until it is resumed")] = ""
) -> None:
    """Emergency stop: motor off at once, queue paused, until [bold]raas resume[/]."""
    shared: Context = context.obj
    with reported():
        path = shared.paths.control("stop")
        if shared.remote or not path.exists():
            shared.client.stop(why)
        else:  # past web page, runner and gateway: works when they are dead
            with GuardClient(path) as guard:
                guard.demand(Stop(who=getpass.getuser(), why=why))
        shared.show(
            {"stopped": True}, "[red bold]■ Stopped.[/] The motor is off. `raas resume` lets the robot work again."
        )


def resume(context: typer.Context) -> None:
    """Clear an emergency stop or a fault; the queue goes on."""
    shared: Context = context.obj
    with reported():
        path = shared.paths.control("resume")
        if shared.remote or not path.exists():
            shared.client.resume()
        else:
            with GuardClient(path) as guard:
                guard.demand(Resume(who=getpass.getuser()))
        shared.show({"stopped": False}, "[green]✓[/] The robot works again.")


def health(context: typer.Context) -> None:
    """Say which parts of the appliance work."""
    shared: Context = context.obj
    with reported():
        found = shared.client.health()
        shared.show(found, view.health_table(found))
        if not found.ok:
            raise typer.Exit(Exit.FAILED)
