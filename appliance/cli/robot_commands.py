"""Commands about the robot: stop, resume, health, motor-off. Stopping goes to the guard itself where it can."""

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Annotated

import typer

from appliance import config as configuration
from appliance.cli import view
from appliance.cli.context import Context, Exit, reported
from appliance.realtime import motor_off as switching
from appliance.realtime.control import GuardClient, Resume, Stop


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (stop, resume, health, motor_off):
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


def motor_off(
    context: typer.Context,
    config_file: Annotated[Path | None, typer.Option("--config", help="Configuration; default DATA/raas.yaml")] = None,
) -> None:
    """Switch the motor's pins off, whatever runs or doesn't; says how that was verified."""
    shared: Context = context.obj
    with reported():
        config = configuration.load(config_file or shared.paths.config)
        said = switching.switch_off(switching.link_of(config), switching.pins_of(config))
        shared.show({"off": True, "message": said}, f"[green]✓[/] {said}")


def health(context: typer.Context) -> None:
    """Say which parts of the appliance work."""
    shared: Context = context.obj
    with reported():
        found = shared.client.health()
        shared.show(found, view.health_table(found))
        if not found.ok:
            raise typer.Exit(Exit.FAILED)
