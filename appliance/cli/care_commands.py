"""Commands that look after this machine's appliance: doctor."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from appliance import engine
from appliance.care import engine_look, gathering
from appliance.care.doctor import diagnose
from appliance.care.finding import Diagnosis, Verdict
from appliance.care.snapshot import Engine
from appliance.cli import view
from appliance.cli.context import Context, Exit, reported
from appliance.config import Config
from appliance.paths import Paths

_SIGNS: Final = {
    Verdict.OK: ("✓", "green"),
    Verdict.WARNING: ("!", "yellow"),
    Verdict.FAILED: ("✗", "bold red"),
    Verdict.UNKNOWN: ("·", "dim"),
}
#: Where services run by systemd have their settings, and their data.
_SERVICES_DATA: Final = Path("/var/lib/raas")
_SERVICES_CONFIG: Final = Path("/etc/raas/raas.yaml")

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Configuration; default DATA/raas.yaml, of services /etc/raas/raas.yaml")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(doctor)


def config_path(given: Path | None, paths: Paths) -> Path:
    """The configuration that an appliance with this data folder uses."""
    if given is not None:
        return given
    return _SERVICES_CONFIG if paths.data == _SERVICES_DATA and not paths.config.exists() else paths.config


def doctor(
    context: typer.Context,
    config_file: ConfigFile = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts")] = False,
) -> None:
    """Say what works on this machine, and what to do about the rest. Exit status 1 if something has failed."""
    shared: Context = context.obj
    with reported():
        found = diagnose(gathering.gather(shared.paths, config_path(config_file, shared.paths), _engine))
        shared.show(found, _rendered(found), json=json)
        if not found.ok:
            raise typer.Exit(Exit.FAILED)


def _engine(config: Config) -> Engine:
    return engine_look.look(config.sandbox.docker_host or engine.docker_host(os.environ), config.job.image)


def _rendered(found: Diagnosis) -> RenderableType:
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(width=1)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    area = ""
    for row in found.findings:
        sign, style = _SIGNS[row.verdict]
        said = view.said(row.found, "" if row.verdict is Verdict.OK else style.removeprefix("bold "))
        if row.remedy:
            said = Text.assemble(said, "\n", ("→ ", "cyan"), view.said(row.remedy))
        table.add_row(Text(sign, style), row.area if row.area != area else "", view.said(row.check), said)
        area = row.area
    return Group(table, Text(), Text(found.summary, "bold green" if found.ok else "bold red"))
