"""Which processor core belongs to the motor loop, and who stays off it?"""

from __future__ import annotations

import os


def loop_core(cpu: int) -> int:
    """The loop's core for the setting `realtime.cpu`; -1 is the last one of the machine."""
    last = (os.cpu_count() or 1) - 1
    return last if cpu < 0 else min(cpu, last)


def keep_off_loop_core(cpu: int) -> None:
    """Move this process (and what it starts) to the other cores, where there are any it may use."""
    others = os.sched_getaffinity(0) - {loop_core(cpu)}
    if others:
        os.sched_setaffinity(0, others)
