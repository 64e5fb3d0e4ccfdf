"""How does an emergency stop work, and how is it taken back? Motor off first, then the latch, then the answer.

OFF goes two ways at once: to the loop, and by the guard's own connection to pigpiod; either is enough for the answer. The
latch is written by one thread of its own, because a disk may take long and everything else must go on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from appliance.errors import RobotError
from appliance.realtime.channels import Refused, Unanswered
from appliance.realtime.latch import Latch, LatchedStop
from appliance.realtime.messages import CommandKind
from appliance.realtime.supervision import Supervision

_MOST_CHARACTERS: Final = 200

_log = logging.getLogger(__name__)


class EmergencyStop:
    """The latch, in memory and on disk. `stopped()` is called as soon as the motor has been told."""

    def __init__(self, latch: Latch[LatchedStop], supervision: Supervision, stopped: Callable[[], None]) -> None:
        self._latch, self._supervision, self._stopped = latch, supervision, stopped
        self._disk = ThreadPoolExecutor(1, "latch")
        self._pulls = 0
        self.latched = latch.read()

    def close(self) -> None:
        """Wait for what is being written."""
        self._disk.shutdown()

    async def pull(self, who: str, why: str) -> None:
        """Stop. Raises RobotError where the motor can't be verified off, or the latch can't be kept."""
        verified = self._supervision.switch_off()
        told = asyncio.create_task(self._tell_loop())
        self._pulls += 1
        if self.latched is None:
            self.latched = LatchedStop(who=who[:_MOST_CHARACTERS], why=why[:_MOST_CHARACTERS], at=time.time())
            _log.warning("emergency stop by %r: %r", who, why)
        self._stopped()
        try:
            await asyncio.get_running_loop().run_in_executor(self._disk, self._latch.set, self.latched)
        except OSError as error:
            text = f"Stopped, but that can't be written down and would be lost in a restart: {error}."
            raise RobotError(text) from error
        finally:
            is_off = await _any_true(told, verified)
        if not is_off:
            raise RobotError("The stop is latched, but the motor can't be verified off. Cut the 12 V supply now.")

    def repeat(self) -> None:
        """Tell a new loop of a stop that is latched."""
        if self.latched is not None:
            self._supervision.loop.tell(CommandKind.STOP)

    async def release(self) -> None:
        """Clear stop and fault. Raises RobotError."""
        pulls = self._pulls
        if self._supervision.is_loop_alive:
            try:
                await self._supervision.loop.ask(CommandKind.RESUME)
            except Refused:
                pass  # there was nothing to clear in the loop
        if self._pulls == pulls:
            await self._clear()
        if self._pulls != pulls:
            raise RobotError("It was stopped again meanwhile.")
        self.latched = None

    async def _clear(self) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._disk, self._latch.clear)
        except OSError as error:
            raise RobotError(f"The stop can't be cleared on disk: {error}.") from error

    async def _tell_loop(self) -> bool:
        """Whether the loop has stopped; one that doesn't answer is replaced."""
        if not self._supervision.is_loop_alive:
            return False
        try:
            await self._supervision.loop.ask(CommandKind.STOP)
        except Unanswered:
            self._supervision.lose_loop("it didn't carry out an emergency stop")
            return False
        except Refused as error:
            _log.error("the loop refused to stop: %s", error)
            return False
        return True


async def _any_true(*ways: asyncio.Task[bool]) -> bool:
    """Whether one of them succeeded; returns with the first that does."""
    for way in asyncio.as_completed(ways):
        if await way:
            return True
    return False
