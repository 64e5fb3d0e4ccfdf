"""Which processes live on this machine? Read from /proc, because a test must also see those that it didn't start."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process that runs; one that only waits for its parent to notice its end isn't among them."""

    pid: int
    uid: int
    command: str


def processes(marker: str = "") -> Iterator[Process]:
    """All processes but this one whose command line contains `marker`."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):  # it has ended in the middle of our look
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            state = (entry / "stat").read_text().rpartition(") ")[2][0]
            if marker in command and state not in "ZX":
                yield Process(int(entry.name), entry.stat().st_uid, command)


def in_cells(data: Path) -> list[int]:
    """Process ids of everything that sees a job's folder in a place of its own, so runs in a cell of the appliance in `data`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                mounts = (entry / "mountinfo").read_text().replace(f"{data}/jobs/.cells/", "")
                if f" {data}/jobs/" in mounts:
                    found.append(int(entry.name))
    return found
