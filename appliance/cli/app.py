"""What is `raas`? The command line: wires the commands, parses the options that all of them share."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from appliance.cli import (
    bench_commands,
    calibrate_commands,
    care_commands,
    export_commands,
    fleet_commands,
    hook_commands,
    job_commands,
    lease_commands,
    local_commands,
    queue_commands,
    replay_commands,
    robot_commands,
    token_commands,
    twin_commands,
)
from appliance.cli.context import Context
from appliance.paths import Paths

app = typer.Typer(
    name="raas",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 done, 1 refused or failed (the message says what to do), 2 wrong usage, "
    "3 no appliance answers, 4 the job that was followed did not succeed.",
)


@app.callback()
def options(
    context: typer.Context,
    url: Annotated[
        str, typer.Option(envvar="RAAS_URL", help="The appliance's address, e.g. http://pendulum.local")
    ] = "",
    data: Annotated[Path, typer.Option(envvar="RAAS_DATA", help="Data folder of an appliance on this machine")] = Path(
        "data"
    ),
    runtime_root: Annotated[Path, typer.Option(envvar="RAAS_RUNTIME_ROOT", hidden=True)] = Path("/run/raas"),
    token: Annotated[
        str, typer.Option(envvar="RAAS_TOKEN", help="Handed out by the appliance's owner, where one is needed")
    ] = "",
    ca: Annotated[
        str,
        typer.Option("--ca", envvar="RAAS_CA", help="Certificate (PEM) of whoever signed the appliance's, for https"),
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts")] = False,
) -> None:
    """Reality as a Service: a real pendulum behind a gym environment."""
    context.obj = Context(url, Paths.of(data, runtime_root), json, Console(highlight=False), bool(url), token, ca)


for module in (
    local_commands,
    job_commands,
    queue_commands,
    robot_commands,
    token_commands,
    hook_commands,
    lease_commands,
    care_commands,
    fleet_commands,
    bench_commands,
    calibrate_commands,
    twin_commands,
    replay_commands,
    export_commands,
):
    module.register(app)


def main() -> None:
    """Entry point of the console script."""
    signal.signal(signal.SIGTERM, _end)
    app()


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    """End as after Ctrl-C, so that no process that a command has started outlives it."""
    raise SystemExit(128 + number)
