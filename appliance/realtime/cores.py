"""Which processor core belongs to the motor loop, and who stays off it?"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

_ISOLATED: Final = Path("/sys/devices/system/cpu/isolated")


def loop_core(cpu: int) -> int:
    """The loop's core for the setting `realtime.cpu`; -1 chooses."""
    return chosen(cpu, os.cpu_count() or 1, isolated(), os.sched_getaffinity(0))


def chosen(cpu: int, count: int, isolated_cores: Iterable[int], allowed: Iterable[int]) -> int:
    """The wished-for core, or the machine's last one; by itself the last isolated one, or else the last that is allowed.

    `allowed` lacks the last core where somebody (a container, systemd) keeps us to the others; it counts only where it lacks
    several cores and so isn't merely our own doing.
    """
    last = count - 1
    if cpu >= 0:
        return min(cpu, last)
    candidates = [core for core in isolated_cores if core <= last]
    if candidates:
        return max(candidates)
    within = set(allowed)
    return last if last in within or len(within) >= last else max(within, default=last)


def isolated() -> frozenset[int]:
    """Cores that the scheduler leaves alone (kernel option isolcpus)."""
    try:
        return parse_list(_ISOLATED.read_text())
    except (OSError, ValueError):
        return frozenset()


def parse_list(text: str) -> frozenset[int]:
    """Cores in the kernel's notation, such as 1,4-6. Raises ValueError."""
    cores: set[int] = set()
    for part in filter(None, text.strip().split(",")):
        first, _, last = part.partition("-")
        cores.update(range(int(first), int(last or first) + 1))
    return frozenset(cores)


def keep_off_loop_core(cpu: int) -> None:
    """Move this process (and what it starts) to the other cores, where there are any it may use."""
    others = os.sched_getaffinity(0) - {loop_core(cpu)}
    if others:
        os.sched_setaffinity(0, others)


@contextlib.contextmanager
def off_loop_core(cpu: int) -> Iterator[None]:
    """The same for a while: what is started meanwhile stays off it, too."""
    before = os.sched_getaffinity(0)
    keep_off_loop_core(cpu)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
