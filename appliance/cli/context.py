"""What do all commands share? The options before the command, parsed once, and how output and errors look."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from appliance import terminal
from appliance.cli import reach
from appliance.client import Client, Unreachable
from appliance.errors import NotFound, RaasError
from appliance.paths import Paths


class Exit(IntEnum):
    """What the exit status means; documented in `raas --help`."""

    OK = 0
    FAILED = 1  # the appliance said no, or something is wrong; the message says what to do
    USAGE = 2  # the command line itself
    UNREACHABLE = 3  # nobody answers
    JOB_FAILED = 4  # a job that was followed ended, but not well


@dataclass(frozen=True)
class Context:
    """The options before the command."""

    url: str
    paths: Paths
    json: bool
    console: Console
    remote: bool  # --url was given: another host's appliance
    token: str = ""
    ca_file: str = ""

    @cached_property
    def client(self) -> Client:
        """The appliance's HTTP API."""
        return Client(reach.address(self.url, self.paths), token=self.token, ca_file=self.ca_file)

    def show(self, value: Any, rendered: Any, *, json: bool = False) -> None:
        """Print `value` as JSON with --json (before or, where a command has it, after its name), else `rendered`."""
        if self.json or json:
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(value)).decode() + "\n")
        else:
            self.console.print(rendered)

    @contextmanager
    def bar(self, title: str) -> Iterator[tuple[Progress, TaskID]]:
        """A progress bar on stderr that only a terminal shows."""
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[note]}", markup=False),
            TimeElapsedColumn(),
        )
        with Progress(
            *columns, console=console, transient=True, disable=self.json or not console.is_terminal
        ) as progress:
            yield progress, progress.add_task(title, total=None, note="")


@contextmanager
def reported() -> Iterator[None]:
    """Turn the appliance's own errors into one line on stderr and an exit status."""
    try:
        yield
    except RaasError as error:
        Console(stderr=True, highlight=False).print("[red]✗[/]", Text(terminal.output(str(error))), soft_wrap=True)
        code = Exit.UNREACHABLE if isinstance(error, Unreachable) else Exit.FAILED
        raise typer.Exit(Exit.USAGE if isinstance(error, NotFound) else code) from error
