"""How does a build run other programs? Argument lists, through the one `run()`."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from appliance.errors import RaasError

LOG_TAIL_LINES = 20


class BuildError(RaasError):
    """A build step failed; the message names the command, the end of its output, and what to do."""


def run(
    arguments: Sequence[str | Path],
    *,
    hint: str = "",
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    given: str = "",
) -> str:
    """Run a program without a shell and without a terminal, and return what it printed.

    `environment` replaces the inherited one when given; the program reads `given` on its standard input. Raises
    `BuildError` with `hint` when the program is missing or its exit code isn't zero.
    """
    command = [str(argument) for argument in arguments]
    try:
        done = subprocess.run(
            command,
            input=given.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=environment,
            check=False,
        )
    except FileNotFoundError as error:
        raise BuildError(f"`{command[0]}` isn't installed. Run `make setup`, which installs it.") from error
    output = done.stdout.decode(errors="replace")
    if done.returncode != 0:
        tail = "\n".join(output.splitlines()[-LOG_TAIL_LINES:])
        raise BuildError(f"`{shlex.join(command)}` ended with code {done.returncode}:\n{tail}\n{hint}".rstrip())
    return output
