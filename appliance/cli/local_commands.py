"""Commands for the machine itself: up, config."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table
from rich.text import Text

from appliance import config as configuration
from appliance import up as appliance_up
from appliance.cli.context import Context, reported
from appliance.errors import ConfigError


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (up, config):
        app.command()(command)


def up(
    context: typer.Context,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the page; 0: a free one")] = None,
    data: Annotated[Path | None, typer.Option(help="Data folder (same as before the command)")] = None,
    config_file: Annotated[Path | None, typer.Option("--config", help="Configuration; default DATA/raas.yaml")] = None,
    sample: Annotated[bool, typer.Option(help="Queue a sample job on an empty database")] = True,
) -> None:
    """Start the whole appliance in the foreground; Ctrl-C stops it."""
    shared: Context = context.obj
    paths = shared.paths if data is None else type(shared.paths).of(data, shared.paths.runtime.parent)
    with reported():
        appliance_up.run(paths, config_file or paths.config, port, sample=sample, console=shared.console)


def config(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="Configuration to check; default DATA/raas.yaml")] = None,
) -> None:
    """Check a configuration file and show every key: value, default, what is legal."""
    shared: Context = context.obj
    with reported():
        path = file or shared.paths.config
        if file is not None and not file.exists():
            raise ConfigError(f"There is no {file}.")
        found = configuration.load(path)
        shared.show(found, _config_table(msgspec.to_builtins(found)))


def _config_table(values: dict[str, object]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for title in ("key", "value", "must be", "what it is"):
        table.add_column(title, overflow="fold")
    for option in configuration.options():
        value: object = values
        for part in option.key.split("."):
            value = value[part] if isinstance(value, dict) else value
        changed = value != msgspec.to_builtins(option.default)
        table.add_row(
            option.key,
            Text(str(value), "bold yellow" if changed else ""),
            Text(option.right, "dim"),
            option.description,
        )
    return table
