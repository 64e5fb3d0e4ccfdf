"""What have the services said lately? From the files of `raas up`, else from systemd's journal; secrets taken out."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance import terminal, units
from appliance.care import redaction
from appliance.paths import Paths

#: Services that leave words, in the order of their start.
SERVICES: Final = ("twin", "pigpiod", "realtime", "runner", "webui", "federation", "lease")
MOST_LINES: Final = 5000
_TIMEOUT_S: Final = 20.0
_MOST_BYTES: Final = 4 * 2**20
_LONGEST_LINE: Final = 4000


@dataclass(frozen=True)
class Words:
    """The last lines of a service, oldest first, and where they come from; `problem` where they can't be read."""

    service: str
    source: str
    lines: tuple[str, ...]
    problem: str = ""


def tail(paths: Paths, service: str, lines: int = 200) -> Words:
    """The last lines of a service. Raises NotFound where there is no such service."""
    unit = units.unit(service)
    lines = max(1, min(lines, MOST_LINES))
    file = paths.logs / f"{service}.log"
    if file.is_file():
        return Words(service, str(file), _clean(_end_of(file), lines))
    return _journal(service, unit, lines)


def _journal(service: str, unit: str, lines: int) -> Words:
    command = ["journalctl", "--unit", unit, "--lines", str(lines), "--no-pager", "--quiet", "--output", "short-iso"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False)
    except FileNotFoundError:
        return Words(service, "", (), "It has left no log file, and this machine has no journal.")
    except (OSError, subprocess.TimeoutExpired) as error:
        return Words(service, unit, (), f"The journal can't be read: {error}")
    if done.returncode != 0:
        return Words(service, unit, (), f"The journal can't be read: {done.stderr.decode(errors='replace').strip()}")
    return Words(service, f"journal of {unit}", _clean(done.stdout, lines))


def _end_of(file: Path) -> bytes:
    with file.open("rb") as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - _MOST_BYTES))
        return stream.read(_MOST_BYTES)


def _clean(content: bytes, lines: int) -> tuple[str, ...]:
    """Text without what a terminal would obey, and without secrets."""
    found = content.decode(errors="replace").splitlines()[-lines:]
    return tuple(redaction.line(terminal.line(text[:_LONGEST_LINE])) for text in found)
