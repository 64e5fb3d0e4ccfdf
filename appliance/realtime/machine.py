"""Which real-time means does this machine grant? Core, priority, locked memory, clock rate, no garbage collection.

Each is asked for; none is needed. `prepare()` says in one line what was granted and what was not.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Final

from appliance.realtime.cores import isolated

_MCL_CURRENT: Final = 1
_MCL_FUTURE: Final = 2
_PR_SET_TIMERSLACK: Final = 29
_LATENCY_DEVICE: Final = Path("/dev/cpu_dma_latency")
_GOVERNOR: Final = "/sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor"
_PREEMPT_RT: Final = Path("/sys/kernel/realtime")
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


#: What the loop may come to need of small objects: Python takes memory 1 MiB at a time, each of them 256 page faults.
_RESERVE_BYTES: Final = 4 << 20
_SMALL_BYTES: Final = 400
_KEPT: Final[list[bytes]] = []


def prepare(core: int, priority: int) -> str:
    """Ask for everything; returns the report. Call it last, when all memory that the loop uses is there."""
    means: dict[str, Callable[[], None]] = {
        f"core {core}": lambda: os.sched_setaffinity(0, {core}),
        f"FIFO priority {priority}": lambda: _take_priority(priority),
        "locked memory": _lock_memory,
        "exact timers": lambda: _call(_LIBC.prctl, _PR_SET_TIMERSLACK, 1),
        "no sleep states": _stay_awake,
        "full clock rate": lambda: _run_fast(Path(_GOVERNOR.format(core=core))),
        "isolated core": lambda: _demand(core in isolated(), f"boot with isolcpus={core}"),
        "PREEMPT_RT kernel": lambda: _demand(_PREEMPT_RT.exists(), "another kernel"),
    }
    _reserve()
    granted, refused = [], []
    for name, ask in means.items():
        try:
            ask()
            granted.append(name)
        except OSError as error:
            refused.append(f"{name} ({error.strerror})")
    gc.collect()
    gc.freeze()
    gc.disable()
    return f"real-time: granted {', '.join(granted) or 'nothing'}; refused {', '.join(refused) or 'nothing'}"


def take_guard_priority(loop_priority: int) -> str:
    """Let the guard be heard on a busy machine: above all ordinary programs, below pigpiod and the loop; returns the report.

    Its threads and children start as ordinary ones: the gateway works for strangers.
    """
    priority = loop_priority // 4
    if not priority:
        return "an ordinary program"
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(priority))
    except OSError as error:
        return f"refused FIFO priority {priority} ({error.strerror})"
    return f"granted FIFO priority {priority}"


class Upkeep:
    """What memory has cost since this was made: page faults and garbage collections, each of which would hold a tick up."""

    def __init__(self) -> None:
        self._faults, self._collections = _page_faults(), _collections()

    def report(self) -> str:
        """One line for the log. Arming a session maps its record, which is the only thing that may fault."""
        faults, collections = _page_faults() - self._faults, _collections() - self._collections
        return f"since its start: {collections} garbage collections, {faults} page faults"


def _page_faults() -> int:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_minflt + used.ru_majflt


def _collections() -> int:
    return sum(generation["collections"] for generation in gc.get_stats())


def _reserve() -> None:
    """Take memory ahead; the few objects that stay keep Python from giving it back."""
    objects = [bytes([number & 1]) * _SMALL_BYTES for number in range(_RESERVE_BYTES // _SMALL_BYTES)]
    _KEPT.extend(objects[::500])


def _take_priority(priority: int) -> None:
    if priority:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))


def _lock_memory() -> None:
    _call(_LIBC.mlockall, _MCL_CURRENT | _MCL_FUTURE)


def _stay_awake() -> None:
    """Keep the processors out of deep sleep: the request holds as long as the file is open, so it stays open."""
    descriptor = os.open(_LATENCY_DEVICE, os.O_WRONLY | os.O_CLOEXEC)
    os.write(descriptor, bytes(4))


def _run_fast(governor: Path) -> None:
    """No slow start after idling. A machine without the file has no rates to choose from."""
    if governor.exists() and governor.read_text().strip() != "performance":
        governor.write_text("performance")


def _demand(is_there: bool, how: str) -> None:
    if not is_there:
        raise OSError(errno.EOPNOTSUPP, how)


def _call(function: Callable[..., int], *arguments: int) -> None:
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
