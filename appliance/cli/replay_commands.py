"""The command that runs a recorded job again: its actions on the twin or the robot, or its program on the robot."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from appliance.calibration import plot, replay
from appliance.calibration.residual import Residual
from appliance.cli import job_commands, reach
from appliance.cli.context import Context, reported
from appliance.cli.twin_commands import robot_of
from appliance.shapes import JobView


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("replay")(replay_job)


def replay_job(
    context: typer.Context,
    wanted: job_commands.JobId = "last",
    on_robot: Annotated[bool, typer.Option("--on-robot", help="Queue its actions as a new job")] = False,
    program: Annotated[bool, typer.Option("--program", help="Queue its program as a new job")] = False,
    robot: Annotated[Path | None, typer.Option(help="Another robot file for the twin; default the job's own")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show the log until the job has ended")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts")] = False,
) -> None:
    """Run a job's recorded actions, with their real times, on the twin here; or on the robot again."""
    shared: Context = context.obj
    with reported():
        found = reach.find_job(shared.client, wanted)
        if program:
            job_commands.show_queued(shared, shared.client.again(found.id), follow=follow)
        elif on_robot:
            job_commands.show_queued(shared, _actions_again(shared, found), follow=follow)
        else:
            _on_twin(shared, found, robot, json=json)


def _actions_again(shared: Context, job: JobView) -> JobView:
    with tempfile.TemporaryDirectory() as folder:
        steps, archive = Path(folder) / "steps.csv", Path(folder) / "replay.tar.gz"
        shared.client.download(job.id, steps.name, steps)
        replay.program(archive, job.id, replay.actions(steps.read_text()))
        return shared.client.submit_archive(archive, f"Replay: {job.name or job.id}"[:80])


def _on_twin(shared: Context, job: JobView, robot: Path | None, *, json: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle.zip"
        shared.client.download(job.id, bundle.name, bundle)
        found = replay.on_twin(bundle, robot_of(robot) if robot else None)
    columns = {"t_s": found.times_s, "angle_rad": found.measured_rad, "twin_rad": found.twin_rad}
    value = {"job": job.id, **found.figures(), **{name: each.tolist() for name, each in columns.items()}}
    shared.show(value, _shown(found), json=json)


def _shown(found: Residual) -> Text:
    text = Text()
    for line in plot.lines(found.times_s, found.measured_rad, found.twin_rad, width=72, height=10):
        text.append("  ")
        for piece in line:
            text.append(piece.text, "bright_blue" if piece.fitted else "dark_orange")
        text.append("\n")
    text.append(f"  {found.times_s[-1]:.1f} s   ", "dim").append("twin", "bright_blue").append(" over ", "dim")
    text.append("robot", "dark_orange").append("\n\n")
    if found.parted_s is None:
        text.append(f"They stay together to the end, {found.rmse_rad * 1e3:.0f} mrad apart (RMSE).")
    else:
        text.append(
            f"They part after {found.parted_s:.1f} s; until then they are {found.rmse_rad * 1e3:.0f} mrad apart."
        )
    if found.window_rmse_rad is not None:
        text.append(f" Started anew each second, the twin errs by {found.window_rmse_rad * 1e3:.0f} mrad.")
    return text
