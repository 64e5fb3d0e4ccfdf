"""Commands about a robot's twin: how well does it match recordings?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from appliance.calibration import scoring
from appliance.calibration.scoring import Score
from appliance.cli.context import Context, reported
from appliance.errors import ConfigError
from gym_raas.parameters import Robot, RobotFileError, load_robot

twin = typer.Typer(name="twin", help="How well a robot's twin matches it.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    twin.command()(score)
    app.add_typer(twin)


def robot_of(path: Path | None) -> Robot:
    """The robot in a file, by default the packaged one. Raises ConfigError."""
    try:
        return load_robot(path)
    except RobotFileError as error:
        raise ConfigError(str(error)) from error


def score(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE.csv...", help="Recordings of a real unit")],
    robot: Annotated[Path | None, typer.Option(help="Robot file; default the packaged one")] = None,
    rest: Annotated[
        float | None, typer.Option(help="Encoder's reading (rad) hanging at rest, where it is known")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts")] = False,
) -> None:
    """Print the open-loop error on recordings; only the start of each run is fitted."""
    shared: Context = context.obj
    with reported():
        found = scoring.score(robot_of(robot), files, rest)
        shared.show(found, _table(found), json=json)


def _table(found: Score) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("file", "run", "motor", "time", "error (rmse)", "worst"):
        table.add_column(title, justify="left" if title in ("file", "motor") else "right")
    for file in found.files:
        for index, run in enumerate(file.runs):
            table.add_row(
                Text(Path(file.file).name if index == 0 else ""),
                str(run.run),
                "off" if run.kind == "free" else "changing" if run.command is None else f"{run.command:g}",
                f"{run.duration_s:.2f} s",
                Text(f"{run.rmse_rad * 1e3:.1f} mrad", "bold"),
                f"{run.worst_rad * 1e3:.0f} mrad",
            )
    table.add_row(Text("all", "dim"), "", "", "", Text(f"{found.rmse_rad * 1e3:.1f} mrad", "bold green"), "")
    return table
