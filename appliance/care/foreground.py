"""How do others see and restart what `raas up` runs? By two places in the runtime folder, which goes with the processes.

`processes.json` is written by `raas up`. A file in `restart/` that bears a process's name is a wish; its content is never
read, and only names of processes that run have an effect.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from appliance import durable
from appliance.errors import NotFound
from appliance.paths import Paths

_FILE: Final = "processes.json"
_WISHES: Final = "restart"


class Process(msgspec.Struct, frozen=True):
    """One process: its number (0: not running now), and how often it had to be started again."""

    name: str
    pid: int
    restarts: int


def publish(paths: Paths, processes: Iterable[Process]) -> None:
    """Tell everybody how they are."""
    durable.write(paths.runtime / _FILE, msgspec.json.encode(tuple(processes)), sync=False)


def processes(paths: Paths) -> tuple[Process, ...] | None:
    """What `raas up` runs on this data folder; None where it doesn't."""
    try:
        return msgspec.json.decode((paths.runtime / _FILE).read_bytes(), type=tuple[Process, ...])
    except (OSError, msgspec.DecodeError):
        return None


def wish_restart(paths: Paths, name: str) -> None:
    """Ask `raas up` to restart one of its processes. Raises NotFound."""
    known = [process.name for process in processes(paths) or ()]
    if name not in known:
        raise NotFound(f"`raas up` runs no {name!r}; it runs {', '.join(known) or 'nothing'}.")
    folder = paths.runtime / _WISHES
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / name).touch()


def wishes(paths: Paths) -> list[str]:
    """The names that are wished for, each told once."""
    folder = paths.runtime / _WISHES
    found: list[Path] = sorted(folder.iterdir()) if folder.is_dir() else []
    for wish in found:
        wish.unlink(missing_ok=True)
    return [wish.name for wish in found]
