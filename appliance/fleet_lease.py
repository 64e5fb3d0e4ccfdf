"""How long may a job from the fleet be acted on? A time on the machine's own clock, written by federation, heeded by the runner.

The clock goes on during suspend and starts anew with each boot; so does every lease: after a reboot nothing is armed before
federation has read the job's log again.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Lease:
    """boot: the boot of the machine in which it holds. until_s: on the clock of `now_s()`."""

    boot: str
    until_s: float

    def covers(self, boot: str, now_s: float, needed_s: float) -> bool:
        """Whether one may go on for `needed_s`."""
        return self.boot == boot and now_s + needed_s <= self.until_s


def now_s() -> float:
    """The clock that leases are written in; it stands still for nothing, and nobody sets it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """Which boot of the machine this is."""
    return _BOOT_ID.read_text().strip()
