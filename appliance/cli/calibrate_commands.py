"""Commands that fit a robot's twin: from recordings here, or by an experiment on the robot."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from appliance import durable
from appliance.calibration import judgement, plot, recordings, report, robot_file, session
from appliance.calibration.fitting import RunFit
from appliance.calibration.judgement import Calibration, Refused
from appliance.calibration.recordings import Run
from appliance.cli import job_commands, reach
from appliance.cli.context import Context, reported
from appliance.cli.twin_commands import robot_of
from appliance.client import packed
from appliance.errors import RaasError
from appliance.jobs import State
from appliance.shapes import JobView
from gym_raas.parameters import Robot

_MOST_PLOTS: Final = 6


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(calibrate)


def calibrate(
    context: typer.Context,
    more: Annotated[list[Path] | None, typer.Argument(metavar="[FILE.csv...]", help="Further recordings")] = None,
    source: Annotated[list[Path] | None, typer.Option("--from", help="Recordings to fit (CSV)")] = None,
    job: Annotated[str, typer.Option(help="Fit what this job recorded: its id, the end of it, or 'last'")] = "",
    robot: Annotated[Path | None, typer.Option(help="The present robot file; default the packaged one")] = None,
    unit: Annotated[str, typer.Option(help="Which unit was recorded, for the file; default the robot's name")] = "",
    output: Annotated[Path, typer.Option("--output", "-o", help="Robot file to write")] = Path("robot.yaml"),
    page: Annotated[Path, typer.Option("--report", help="Report to write, with curves (HTML)")] = Path(
        "calibration.html"
    ),
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts")] = False,
) -> None:
    """Fit the robot's model and write [bold]robot.yaml[/]: by an experiment on the robot, or from recordings."""
    shared: Context = context.obj
    with reported():
        files = [*(source or []), *(more or [])]
        taken = _from_files(files, robot)
        if job or not files:
            taken = _with_job(shared, taken, _job(shared, job, quiet=json), robot)
        with Console(stderr=True).status("fitting"):
            found = judgement.calibrate(taken.robot, taken.runs)
        _write(page, report.html(taken.robot, found))
        shared.show(_as_json(found), _shown(found, page), json=json)
        if found.reasons:
            raise Refused(f"Refused, {output} is left as it is: {'; '.join(found.reasons)}.")
        fitted = robot_file.fitted(
            taken.robot,
            found,
            unit=unit or taken.robot.name,
            date=dt.datetime.now(dt.UTC).date().isoformat(),
            software=metadata.version("raas-appliance"),
            recordings=taken.names,
        )
        _write(output, robot_file.text(fitted))
        if not json and not shared.json:
            shared.console.print(f"[green]✓[/] wrote [bold]{output}[/] and [bold]{page}[/]. An appliance uses it when")
            shared.console.print("  [bold]robot.file[/] in its raas.yaml names it; start the services again then.")


@dataclass(frozen=True)
class _Taken:
    """What is to be fitted, under which robot it was recorded, and what the recordings are called."""

    robot: Robot
    runs: list[Run]
    names: list[str]


def _from_files(files: Sequence[Path], robot: Path | None) -> _Taken:
    runs = [run for file in files for run in recordings.read(file)]
    return _Taken(robot_of(robot), runs, [file.name for file in files])


def _job(shared: Context, wanted: str, *, quiet: bool) -> JobView:
    """The job whose recording is fitted: a finished one, or the experiment, queued now and followed to its end."""
    if wanted:
        return reach.find_job(shared.client, wanted)
    program = resources.files("gym_raas").joinpath("examples", "calibration")
    with resources.as_file(program) as folder:
        archive = packed(folder)
    try:
        queued = shared.client.submit_archive(archive, "Calibration")
    finally:
        archive.unlink()
    ended = job_commands.follow_to_the_end(shared, queued, quiet=quiet)
    if ended.state != State.SUCCEEDED:
        raise Refused(f"The experiment did not succeed, so nothing is fitted. {ended.sentence}")
    return ended


def _with_job(shared: Context, taken: _Taken, job: JobView, robot: Path | None) -> _Taken:
    """The recordings and those of a job; the robot is the job's unless one was named."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle.zip"
        shared.client.download(job.id, bundle.name, bundle)
        used, runs = session.read_bundle(bundle)
    return _Taken(taken.robot if robot else used, [*taken.runs, *runs], [*taken.names, f"job {job.id}"])


def _write(path: Path, content: str) -> None:
    try:
        durable.write(path, content.encode())
    except OSError as error:
        raise RaasError(f"{path} can't be written: {error.strerror}.") from error


def _shown(found: Calibration, page: Path) -> RenderableType:
    parts: list[RenderableType] = []
    for each in found.fit.runs[:_MOST_PLOTS]:
        parts += [_curves(each), ""]
    if len(found.fit.runs) > _MOST_PLOTS:
        parts += [Text(f"{len(found.fit.runs) - _MOST_PLOTS} more runs stand in {page}", "dim"), ""]
    parts += [_constants(found), *(Text(line, "yellow") for line in report.not_told(found)), "", _errors(found)]
    return Group(*parts)


def _curves(each: RunFit) -> Text:
    run = each.run
    what = "motor off" if not run.powered else f"command {run.command:g}" if run.command is not None else "driven"
    text = Text.assemble((run.name, "bold"), f"  {what}  ", (f"{each.rmse_rad * 1e3:.1f} mrad", "bold"))
    for line in plot.lines(run.times_s, run.angles_rad, each.predicted_rad):
        text.append("\n  ")
        for piece in line:
            text.append(piece.text, "bright_blue" if piece.fitted else "dark_orange")
    text.append(f"\n  {run.times_s[-1] - run.times_s[0]:.1f} s   ", "dim")
    text.append("blue: fitted", "bright_blue").append(", where it leaves what was ", "dim").append(
        "measured", "dark_orange"
    )
    return text


def _constants(found: Calibration) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("constant", "fitted", "95 % interval", "±"):
        table.add_column(title, justify="left" if title == "constant" else "right")
    for each in found.fit.estimates:
        share = f"{(each.high - each.low) / 2 / abs(each.value):.1%}" if each.value else ""
        table.add_row(
            each.name, f"{each.value:.4g}", f"{each.low:.4g} … {each.high:.4g}", share if each.told else "not told"
        )
    return table


def _errors(found: Calibration) -> Text:
    unseen = found.held_out_rmse_rad
    return Text.assemble(
        "open-loop error ",
        (f"{found.fit.rmse_rad * 1e3:.1f} mrad", "bold"),
        f", before {found.present_rmse_rad * 1e3:.1f} mrad",
        f", on parts that a fit hasn't seen {unseen * 1e3:.1f} mrad" if unseen is not None else "",
    )


def _as_json(found: Calibration) -> dict[str, Any]:
    return {
        "accepted": not found.reasons,
        "reasons": list(found.reasons),
        "rmse_rad": found.fit.rmse_rad,
        "present_rmse_rad": found.present_rmse_rad,
        "held_out_rmse_rad": found.held_out_rmse_rad,
        "held_out": [
            {"part": part.name, "rmse_rad": part.rmse_rad, "present_rmse_rad": part.present_rad}
            for part in found.held_out
        ],
        "runs": [
            {"run": each.run.name, "command": each.run.command, "rmse_rad": each.rmse_rad} for each in found.fit.runs
        ],
        "constants": {
            each.name: {"value": each.value, "sd": each.sd, "low": each.low, "high": each.high, "told": each.told}
            for each in found.fit.estimates
        },
        "not_told_apart": [list(pair) for pair in found.fit.alike],
    }
