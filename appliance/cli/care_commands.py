"""Commands that look after this machine's appliance: doctor, backup, restore, services, support."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from appliance import engine
from appliance.care import backup as saving
from appliance.care import engine_look, gathering
from appliance.care import restore as restoring
from appliance.care import services as service_keeping
from appliance.care import support as helping
from appliance.care.backup import BackupFailed
from appliance.care.doctor import diagnose
from appliance.care.finding import Diagnosis, Verdict
from appliance.care.services import Services
from appliance.care.snapshot import Engine
from appliance.cli import view
from appliance.cli.context import Context, Exit, reported
from appliance.config import Config
from appliance.errors import NotFound, RaasError
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
_SERVICES_CREDENTIALS: Final = Path("/etc/raas/credentials")

ConfigFile = Annotated[
    Path | None, typer.Option("--config", help="Configuration; default DATA/raas.yaml, of services /etc/raas/raas.yaml")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (doctor, backup, restore, services, support):
        app.command()(command)


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
        found = diagnose(
            gathering.gather(shared.paths, config_path(config_file, shared.paths), _engine, try_means=True)
        )
        shared.show(found, _rendered(found), json=json)
        if not found.ok:
            raise typer.Exit(Exit.FAILED)


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The file to write, such as raas.tar")],
    config_file: ConfigFile = None,
) -> None:
    """Save jobs, results, configuration, calibration and owner to one file, also while the appliance runs."""
    shared: Context = context.obj
    with reported():
        if file.is_dir():
            raise BackupFailed(f"{file} is a folder; name a file in it, such as {file / 'raas.tar'}.")
        source = saving.Source(shared.paths, config_path(config_file, shared.paths), time.time())
        with shared.bar("saving") as (progress, task):
            made = saving.write(source, file, lambda name: progress.update(task, note=name[-40:]))
        shared.show(made, view.done(f"{file}: {made.jobs} jobs, {len(made.files)} files, {made.bytes / 2**20:.1f} MiB"))


def restore(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A file that `raas backup` has written")],
    config_file: ConfigFile = None,
    replace: Annotated[bool, typer.Option("--replace", help="Put aside the jobs that are there")] = False,
) -> None:
    """Put a backup in place of this data folder's content; the appliance must not run."""
    shared: Context = context.obj
    with reported():
        target = restoring.Target(shared.paths, config_path(config_file, shared.paths), replace)
        done = restoring.restore(file, target)
        lines = [f"{done.manifest.jobs} jobs are back, saved {view.moment(done.manifest.at)}", *done.notes]
        lines += [f"What was there before is in {done.aside}; remove it when all is well."] if done.aside else []
        shown = {"jobs": done.manifest.jobs, "aside": str(done.aside or ""), "notes": done.notes}
        shared.show(shown, Group(view.done(lines[0]), *(view.said(line) for line in lines[1:])))


def services(
    context: typer.Context,
    verb: Annotated[str, typer.Argument(help="start, stop or restart; without it, all are listed")] = "",
    name: Annotated[str, typer.Argument(help="Which one, such as webui; `appliance` means all")] = "",
) -> None:
    """Say how the services are; start, stop or restart one of them."""
    shared: Context = context.obj
    with reported():
        if not verb:
            found = service_keeping.overview(shared.paths)
            shared.show(found, _services_table(found))
        elif not name:
            raise NotFound(f"Which service? `raas services {verb} NAME`; `raas services` lists them.")
        else:
            said = service_keeping.act(shared.paths, verb, name)
            shared.show({"done": said}, view.done(said))


def support(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The zip file to write")] = Path("raas-support.zip"),
    config_file: ConfigFile = None,
) -> None:
    """Put diagnosis, versions, settings and logs into one file for whoever helps, without secrets."""
    shared: Context = context.obj
    with reported():
        if not shared.paths.data.is_dir():
            raise RaasError(f"There is no {shared.paths.data}. Name the data folder: `raas --data DATA support`.")
        config = config_path(config_file, shared.paths)
        content = helping.bundle(helping.Appliance(shared.paths, config, _SERVICES_CREDENTIALS), _engine)
        try:
            file.write_bytes(content)
        except OSError as error:
            raise RaasError(f"{file} can't be written: {error.strerror}. Name another place.") from error
        shared.show(
            {"path": str(file)}, view.done(f"{file}: look before you publish it; addresses may stand in the logs")
        )


def _services_table(found: Services) -> RenderableType:
    if found.problem:
        return view.said(found.problem)
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("service", "what it does", "state", "restarts", ""):
        table.add_column(title, justify="right" if title == "restarts" else "left")
    for one in found.services:
        colour = {"running": "green", "failed": "red", "changing": "yellow"}.get(one.state, "dim")
        table.add_row(
            one.name, Text(one.task, "dim"), Text(one.state, colour), str(one.restarts), view.said(one.detail)
        )
    return table


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
