"""Who looks after loop and gateway? Starts them, watches them, switches the motor off when the loop is lost.

The loop is lost when its process ends (pidfd) or when its live records stop changing for `stall_s` (the same budget that
the dead-man inside pigpiod has). Then: OFF at once on the guard's own connection, SIGKILL if it still exists, OFF repeated
and read back, and a new loop, which drives nothing before a new session is armed.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from appliance.paths import Paths
from appliance.realtime.channels import GatewayChannel, LoopChannel, drain, socket_pair
from appliance.realtime.children import Child
from appliance.realtime.heartbeat import Heartbeat
from appliance.realtime.messages import Notice, NoticeKind
from appliance.realtime.off_link import OffLink
from appliance.realtime.telemetry import LiveRecord, LiveRing

#: A new loop says READY within this, or is started anew.
START_S: Final = 20.0
#: How long OFF is tried before people are told to cut the power; it is tried on afterwards.
OFF_GIVE_UP_S: Final = 1.0

LOOP_COMMAND: Final = (sys.executable, "-m", "appliance.realtime.loop")
GATEWAY_COMMAND: Final = (sys.executable, "-m", "appliance.realtime.gateway")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Commands:
    """What is run as loop and as gateway; the common arguments are added."""

    arguments: Sequence[str]
    loop: Sequence[str] = LOOP_COMMAND
    gateway: Sequence[str] = GATEWAY_COMMAND


class Listener(Protocol):
    """Who hears what happens to the children."""

    def heard(self, notice: Notice) -> None:
        """The loop said something without being asked."""

    def loop_ready(self) -> None:
        """A new loop runs, disarmed."""

    def loop_lost(self) -> None:
        """The loop has ended; OFF is under way."""

    def gateway_starts(self) -> None:
        """A new gateway is about to read what it is told from now on."""


class Supervision:
    """Loop and gateway, their sockets, and the motor's OFF, on the running event loop."""

    def __init__(self, paths: Paths, commands: Commands, off: OffLink, stall_s: float) -> None:
        self._paths, self._off = paths, off
        self._listener: Listener | None = None
        self._heartbeat = Heartbeat(stall_s)
        self._ring: LiveRing | None = None
        self._off_task: asyncio.Task[bool] | None = None
        self._time_s = asyncio.get_running_loop().time
        self._is_off_owed = False
        self._is_condemned = False
        self.is_loop_ready = False
        self._is_gateway_ready = False
        # Both ends of every pair stay open here: a new child goes on where the old one fell.
        job_gateway, job_loop = socket_pair()
        guard_loop, loop_guard = socket_pair()
        guard_gateway, gateway_guard = socket_pair()
        self._loop_ends, self._gateway_ends = (job_loop, loop_guard), (job_gateway, gateway_guard)
        self.loop = LoopChannel(guard_loop, self._hear)
        self.gateway = GatewayChannel(guard_gateway, self._hear_gateway)
        parent = f"--parent={os.getpid()}"
        loop_fds = (f"--gateway-fd={job_loop.fileno()}", f"--guard-fd={loop_guard.fileno()}")
        self._loop_child = Child(
            "loop", (*commands.loop, *commands.arguments, parent, *loop_fds), [end.fileno() for end in self._loop_ends],
            self._prepare_loop, self._loop_ended,
        )  # fmt: skip
        gateway_fds = (f"--loop-fd={job_gateway.fileno()}", f"--guard-fd={gateway_guard.fileno()}")
        self._gateway_child = Child(
            "gateway", (*commands.gateway, *commands.arguments, parent, *gateway_fds),
            [end.fileno() for end in self._gateway_ends], self._prepare_gateway, self._gateway_ended,
        )  # fmt: skip

    @property
    def is_loop_alive(self) -> bool:
        """Whether the loop runs and has said so."""
        return self._loop_child.is_alive and self.is_loop_ready

    @property
    def is_loop_seen(self) -> bool:
        """Whether it publishes, too: before its first record nobody knows whether it has a link to the robot."""
        return self.is_loop_alive and self.newest() is not None

    @property
    def is_gateway_alive(self) -> bool:
        """Whether the gateway runs and has said so."""
        return self._gateway_child.is_alive and self._is_gateway_ready

    @property
    def is_switching_off(self) -> bool:
        """Whether OFF is being repeated; arming has to wait for that."""
        return self._off_task is not None and not self._off_task.done()

    def start(self, listener: Listener) -> None:
        """Start both children; the motor is switched off before, whoever may have left it running."""
        self._listener = listener
        self.switch_off()
        self._loop_child.start()
        self._gateway_child.start()

    async def stop(self) -> None:
        """End both for good; the loop first, and the motor is off afterwards."""
        await self._loop_child.stop(1.0)
        await self.switch_off()
        await self._gateway_child.stop(1.0)

    def newest(self) -> tuple[int, LiveRecord] | None:
        """The loop's newest live record."""
        if self._ring is None:
            try:
                self._ring = LiveRing(self._paths.live_ring)
            except (OSError, ValueError):
                return None
        return self._ring.newest()

    def switch_off(self) -> asyncio.Task[bool]:
        """OFF now, repeated and read back; the task says whether it was verified."""
        self._off.fire()
        if not self.is_switching_off or self._off_task is None:
            self._off_task = asyncio.create_task(self._switch_off())
        return self._off_task

    async def _switch_off(self) -> bool:
        started_s = self._time_s()
        self._is_off_owed = False
        if await self._off.switch_off(OFF_GIVE_UP_S):
            _log.info("the motor is verified off after %.0f ms", (self._time_s() - started_s) * 1e3)
            return True
        _log.critical("the motor's pins don't read back as off; if it runs, cut the 12 V supply")
        self._is_off_owed = True  # tried again as soon as pigpiod can be reached
        return False

    def look(self) -> None:
        """Judge the loop by its live records; called every few ms."""
        now_s = self._time_s()
        if self._is_off_owed and self._off.is_connected:
            self.switch_off()
        if not self._loop_child.is_alive or self._is_condemned:
            return
        if not self.is_loop_ready:
            if now_s > self._loop_child.started_s + START_S:
                self.lose_loop(f"it wasn't ready within {START_S:.0f} s")
            return
        newest = self.newest()
        if self._heartbeat.is_missing(newest[0] if newest else 0, now_s):
            self.lose_loop(f"it hasn't ticked for {self._heartbeat.limit_s:.2f} s")

    def lose_loop(self, why: str) -> None:
        """The loop exists but can't be trusted: motor off, then a new one."""
        self.switch_off()
        if self._loop_child.is_alive and not self._is_condemned:
            _log.error("the loop is killed: %s", why)
            self._is_condemned, self.is_loop_ready = True, False
            self._loop_child.kill()

    def lose_gateway(self) -> None:
        """The gateway doesn't answer: a new one."""
        if self.is_gateway_alive:
            _log.error("the gateway is killed: it doesn't answer")
            self._is_gateway_ready = False
            self._gateway_child.kill()

    def _hear_gateway(self) -> None:
        self._is_gateway_ready = True

    def _hear(self, notice: Notice) -> None:
        if notice.kind == NoticeKind.READY:
            self.is_loop_ready = True
            self._heartbeat.restart(self._time_s())
            if self._listener is not None:
                self._listener.loop_ready()
        elif self._listener is not None:
            self._listener.heard(notice)

    def _prepare_loop(self) -> None:
        self._is_condemned = self.is_loop_ready = False
        for end in self._loop_ends:
            drain(end)

    def _prepare_gateway(self) -> None:
        self._is_gateway_ready = False
        for end in self._gateway_ends:
            drain(end)
        # What is written now waits in the socket until the new gateway reads it.
        if self._listener is not None:
            self._listener.gateway_starts()

    def _loop_ended(self, status: int) -> None:  # noqa: ARG002 - a Child's signature
        self.switch_off()
        self.is_loop_ready = False
        self.loop.lost()
        if self._listener is not None:
            self._listener.loop_lost()

    def _gateway_ended(self, status: int) -> None:  # noqa: ARG002 - a Child's signature
        self._is_gateway_ready = False
