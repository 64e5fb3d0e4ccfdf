"""Is the host as it was? Mounts, processes of the throw-away user, temporary folders and descriptors, before and after."""

from __future__ import annotations

import contextlib
import gc
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.process_table import processes

# A user that no other test or appliance on this machine has at the moment.
UID = 200_000 + os.getpid() % 100_000
_DEADLINE_S = 5.0


def processes_of(uid: int) -> list[str]:
    """Command lines of the living processes of one user, as the host sees them."""
    return [process.command for process in processes() if process.uid == uid]


def children() -> set[int]:
    """Process ids of this process's children, of all its threads."""
    found = set()
    for thread in Path("/proc/self/task").iterdir():
        found |= {int(pid) for pid in (thread / "children").read_text().split()}
    return found


def _state() -> dict[str, object]:
    return {
        "mounts": Path("/proc/self/mounts").read_text().count("raas "),
        "processes": processes_of(UID),
        "children": children(),
        "folders": sorted(Path(tempfile.gettempdir()).glob("raas-scratch-*")),
        "descriptors": len(os.listdir("/proc/self/fd")),
    }


@contextlib.contextmanager
def unchanged() -> Iterator[None]:
    """Assert that the host is within a few seconds as it was before."""
    gc.collect()  # or what an earlier test has left to it is closed in between
    before = _state()
    yield
    deadline_s = time.monotonic() + _DEADLINE_S
    while _state() != before and time.monotonic() < deadline_s:
        time.sleep(0.02)
    after = _state()
    changed = {what: (before[what], after[what]) for what in before if before[what] != after[what]}
    assert not changed, f"left on the host: {changed}"
