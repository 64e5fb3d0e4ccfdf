"""Did the host itself stand still? A process of the highest priority per core that writes down when it wakes late.

`python -m tests.realtime.chaos.host_stalls CORE FILE`. What is slower than its bound while the host stalls is listed with the
stall, not dropped.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_PERIOD_S = 0.002
_STALL_NS = 10_000_000


class Stall(NamedTuple):
    """The host stood still on a core, monotonic ns."""

    from_ns: int
    to_ns: int


class HostStalls:
    """What the watchers have written so far."""

    def __init__(self, files: list[Path]) -> None:
        self._files = files

    def longest_ms(self, from_ns: int, to_ns: int) -> float:
        """The longest single stall of any core that began between two moments; those below 10 ms aren't seen."""
        stalls = [stall for file in self._files for stall in _read(file) if from_ns <= stall.from_ns <= to_ns]
        return max((stall.to_ns - stall.from_ns for stall in stalls), default=0) / 1e6

    def within_ms(self, from_ns: int, to_ns: int) -> float:
        """The longest total stall of any core between two moments."""
        return max(sum(_overlap_ns(stall, from_ns, to_ns) for stall in _read(file)) for file in self._files) / 1e6


def _read(file: Path) -> list[Stall]:
    lines = file.read_text().splitlines() if file.exists() else []
    return [Stall(*map(int, line.split())) for line in lines if len(line.split()) == 2]


def _overlap_ns(stall: Stall, from_ns: int, to_ns: int) -> int:
    return max(0, min(stall.to_ns, to_ns) - max(stall.from_ns, from_ns))


@contextlib.contextmanager
def watched(folder: Path) -> Iterator[HostStalls]:
    """Watch all cores until the end of the block."""
    files, watchers = [], []
    for core in sorted(os.sched_getaffinity(0)):
        files.append(folder / f"stalls-{core}")
        watchers.append(subprocess.Popen([sys.executable, "-m", __name__, str(core), str(files[-1])]))
    try:
        yield HostStalls(files)
    finally:
        for watcher in watchers:
            watcher.terminate()
            watcher.wait()


def main(core: int, file: Path) -> None:
    os.sched_setaffinity(0, {core})
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(95))
    with file.open("a", buffering=1) as out:
        before_ns = time.monotonic_ns()
        while True:
            time.sleep(_PERIOD_S)
            now_ns = time.monotonic_ns()
            if now_ns - before_ns > _STALL_NS:
                out.write(f"{before_ns} {now_ns}\n")
            before_ns = now_ns


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
