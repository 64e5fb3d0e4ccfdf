"""Commands about the queue, what a job may choose, and how jobs did: queue, move, pin, images, leaderboard."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Group

from appliance.cli import reach, view
from appliance.cli.context import Context, reported
from appliance.cli.job_commands import JobId
from appliance.errors import BadSource


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (queue, move, pin, images, leaderboard):
        app.command()(command)


def queue(
    context: typer.Context,
    action: Annotated[str, typer.Argument(help="Nothing to look, or [bold]pause[/] or [bold]resume[/]")] = "",
) -> None:
    """Show the queue; pause it or let it go on."""
    shared: Context = context.obj
    actions = {"": shared.client.queue, "pause": shared.client.pause_queue, "resume": shared.client.resume_queue}
    with reported():
        if action not in actions:
            raise BadSource(f"`raas queue {action[:40]}` is nothing; say `raas queue`, `pause` or `resume`.")
        found = actions[action]()
        listed = [*found.active, *found.waiting]
        head = "[yellow]■ Paused.[/] `raas queue resume` lets it go on." if found.paused_by == "owner" else ""
        lines = [head] if head else []
        shared.show(found, Group(*lines, view.job_table(listed) if listed else "Nobody waits."))


def move(
    context: typer.Context,
    wanted: JobId,
    position: Annotated[int, typer.Argument(min=1, help="1 is next")] = 1,
) -> None:
    """Put a waiting job at a position of the queue."""
    shared: Context = context.obj
    with reported():
        moved = shared.client.move(reach.find_job(shared.client, wanted).id, position)
        shared.show(moved, view.done(moved.sentence))


def pin(
    context: typer.Context,
    wanted: JobId,
    off: Annotated[bool, typer.Option("--off", help="No longer")] = False,
) -> None:
    """Keep a job's results when room is made for newer ones."""
    shared: Context = context.obj
    with reported():
        pinned = shared.client.pin(reach.find_job(shared.client, wanted).id, not off)
        said = "are kept whatever happens" if pinned.pinned else "may be cleared when room is needed"
        shared.show(pinned, view.done(f"The results of {pinned.id} {said}."))


def images(context: typer.Context) -> None:
    """List the images that a job may choose, and what is in them."""
    shared: Context = context.obj
    with reported():
        found = shared.client.images()
        shared.show(found, view.image_list(found))


def leaderboard(
    context: typer.Context,
    wanted: Annotated[str, typer.Argument(metavar="JOB", help="A job of yours to list; nothing to look")] = "",
    name: Annotated[str, typer.Option(help="Under which name; empty takes it off")] = "",
) -> None:
    """Show who is best at the standard task, or list a job of yours."""
    shared: Context = context.obj
    with reported():
        if wanted:
            listed = shared.client.list_job(reach.find_job(shared.client, wanted).id, name)
            said = f"is listed as {listed.board_name}" if listed.board_name else "is not on the leaderboard"
            shared.show(listed, view.done(f"{listed.id} {said}."))
            return
        found = shared.client.leaderboard()
        empty = "Nobody is listed yet. `raas submit FOLDER --board NAME` lists a program that does the standard task."
        shared.show(found, view.standings(found) if found.entries else empty)
