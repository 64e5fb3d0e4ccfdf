"""May the robot still be used? Counts its faults and self-tests, and takes it out of service after three failures in a row.

The retirement is latched on disk; only a person who resumes the robot puts it back. One failure may be a hand at the arm,
so the queue tries again; three are the hardware's.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from appliance.realtime.fault_sentences import name
from appliance.realtime.latch import Latch, Retirement
from appliance.realtime.telemetry import Fault

MOST_FAILURES: Final = 3

_log = logging.getLogger(__name__)


class Service:
    """The robot's record of service. `retired()` is called when it is taken out; `sentences` are for people."""

    def __init__(self, latch: Latch[Retirement], retired: Callable[[], None], sentences: Mapping[Fault, str]) -> None:
        self._latch, self._retired, self._sentences = latch, retired, sentences
        self._failures = 0
        self._seen = Fault.LINK_LOST
        self.retirement = latch.read()
        self.faults: Counter[str] = Counter()
        self.passed = self.failed = 0

    def loop_starts(self) -> None:
        """A new loop has no link to the robot yet; it is lost only if it is lost again."""
        self._seen = Fault.LINK_LOST

    def see(self, fault: Fault) -> None:
        """The loop shows this fault now; each new one counts once."""
        if fault is not self._seen and fault is not Fault.NONE:
            self.faults[fault.name.lower()] += 1
        self._seen = fault

    def pass_test(self) -> None:
        """A self-test has passed: what failed before was passing, too."""
        self.passed += 1
        self._failures = 0

    async def fail_test(self, fault: Fault) -> str:
        """A self-test has failed; returns a sentence for whoever wanted it. Raises OSError where the latch can't be kept."""
        self.faults[fault.name.lower()] += 1
        self.failed += 1
        self._failures += 1
        _log.error("self-test %d of %d failed: %s", self._failures, MOST_FAILURES, name(fault))
        sentence = f"The self-test failed ({name(fault)}). {self._sentences[fault]}"
        if self._failures >= MOST_FAILURES:
            await self._retire(fault)
        return sentence

    async def _retire(self, fault: Fault) -> None:
        why = f"{MOST_FAILURES} self-tests in a row failed, the last one with: {name(fault)}. {self._sentences[fault]}"
        self.retirement = Retirement(why=why, at=time.time())
        self._retired()
        await asyncio.to_thread(self._latch.set, self.retirement)

    async def restore(self) -> None:
        """A person puts the robot back. Raises OSError."""
        if self.retirement is not None:
            await asyncio.to_thread(self._latch.clear)
        self.retirement, self._failures = None, 0
