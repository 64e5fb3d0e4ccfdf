"""How does the loop reach the motor and the encoder? pigpiod's socket protocol, without ever waiting for an answer.

Two connections. On the first, everything that one tick has to say goes out in one send: new duty for both pins when
it changed, every few ticks a refresh of the dead-man. Its replies are read in the following ticks, and each has a
deadline. On the second come reports of encoder edges. Connecting and set-up run in the same non-blocking way, so
a robot that is away costs the loop's ticks nothing.
"""

from __future__ import annotations

import enum
import itertools
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from appliance.realtime import deadman, pigpiod_setup
from appliance.realtime.bridge import Bridge
from appliance.realtime.connection import BrokenLink, Connection, Target
from appliance.realtime.encoder import Report
from appliance.realtime.link import Received
from appliance.realtime.pigpiod_protocol import (
    NO_CHANGE,
    REPLY,
    REPORT,
    SCRIPT_HALTED,
    SCRIPT_RUNNING,
    SCRIPT_STATUS,
    Cmd,
    request,
    words,
)  # fmt: skip
from appliance.realtime.telemetry import Fault
from gym_raas.parameters import Robot

_REFRESH_US: Final = 8_000
_REFRESHES_PER_STATUS: Final = 4
#: Unanswered for this long, the connection is given up; a shorter silence, beyond the dead-man's budget, is LINK_SLOW.
_LOST_US: Final = 1_000_000
_RETRY_US: Final = 250_000
#: The clocks of robot and loop may drift apart by this much per refresh: 125 ppm.
_DRIFT_US: Final = 1
_WORD: Final = 0xFFFFFFFF


class _Asked(NamedTuple):
    """A request that waits for its reply."""

    command: int
    sent_us: int


class _Phase(enum.Enum):
    CONNECTING = enum.auto()
    SETTING_UP = enum.auto()
    UP = enum.auto()


class PigpiodLink:
    """The robot behind pigpiod, or behind the twin at the same socket. `targets` are tried in turn."""

    def __init__(self, targets: Sequence[Target], robot: Robot, dead_man_s: float) -> None:
        self._targets = itertools.cycle(targets)
        self._robot = robot
        self._budget = deadman.budget(dead_man_s)
        self._slow_us = round(dead_man_s * 1e6)
        self._retry_us = 0
        self._attempt: _Attempt | None = None

    def receive(self, now_us: int) -> Received:
        """Replies, reports, and whatever connecting or set-up has to do next."""
        attempt = self._attempt
        try:
            if attempt is None and now_us >= self._retry_us:
                attempt = self._attempt = _Attempt(
                    next(self._targets), self._robot, self._budget, self._slow_us, now_us
                )
            if attempt is not None:
                return attempt.receive(now_us)
        except (BrokenLink, OSError):
            self._give_up(now_us)
        return Received(False, Fault.LINK_LOST, (), False, now_us)

    def send(self, now_us: int, command: float | None) -> None:
        """Duty when it changed, dead-man when it is due, in one send."""
        if self._attempt is None:
            return
        try:
            self._attempt.send(now_us, command)
        except BrokenLink:
            self._give_up(now_us)

    def _give_up(self, now_us: int) -> None:
        self._retry_us = now_us + _RETRY_US
        if self._attempt is not None:
            self._attempt.close()
            self._attempt = None

    def close(self) -> None:
        """Close both connections; what was sent is still delivered."""
        self._give_up(0)


class _Attempt:
    """One pair of connections, from the first attempt to open them to their end."""

    def __init__(self, target: Target, robot: Robot, budget: int, slow_us: int, now_us: int) -> None:
        self._commands, self._notifications = Connection(target), Connection(target)
        self._budget = budget
        self._slow_us = slow_us
        self._opened_us = now_us
        self._phase = _Phase.CONNECTING
        self._asked: deque[_Asked] = deque()
        self._set_up = pigpiod_setup.steps(robot, budget, lambda: self._handle)
        self._set_up_results: list[int] = []
        self._handle = -1
        self._script = -1
        self._bridge = Bridge(robot)
        self._tripped = self._halted = False
        self._refreshed_us = self._refreshes = 0
        self._sequence = -1
        self._lost_reports = False
        self._reported_us = now_us
        self._reports: list[Report] = []
        self._lag_us = 0

    # -- in -----------------------------------------------------------------------------------------------------

    def receive(self, now_us: int) -> Received:
        """Everything that has arrived. Raises BrokenLink."""
        if self._phase is _Phase.CONNECTING:
            self._connect(now_us)
        fault = Fault.LINK_LOST
        if self._phase is not _Phase.CONNECTING:
            self._read_replies(now_us)
            self._read_reports(now_us)
            fault = self._judge(now_us)
        if self._phase is not _Phase.UP:
            return Received(False, Fault.LINK_LOST, (), False, now_us)
        reports, self._reports = self._reports, []
        lost, self._lost_reports = self._lost_reports, False
        return Received(True, fault, reports, lost, now_us - self._lag_us)

    def _connect(self, now_us: int) -> None:
        if self._commands.is_open() and self._notifications.is_open():
            self._phase = _Phase.SETTING_UP
            self._notifications.send(request(Cmd.NOIB))
            self._ask(next(self._set_up), now_us)
        elif now_us - self._opened_us > _LOST_US:
            raise BrokenLink("the robot doesn't take the connection")

    def _judge(self, now_us: int) -> Fault:
        """Compare the oldest unanswered request and the newest report with their deadlines, and look at the dead-man.

        Reports come all the time, with an unplugged encoder, too: silence is the link's fault. None of it is lost yet, as a
        gap in their numbers would say so.

        A dead-man that has tripped although this process lives: link or loop were too slow. It matters where the motor is
        meant to run; otherwise it is taken back and nobody needs to know.
        """
        waited_us = now_us - self._asked[0].sent_us if self._asked else 0
        if waited_us > _LOST_US:
            raise BrokenLink("the robot doesn't answer")
        silent_us = now_us - self._reported_us
        if silent_us > _LOST_US:
            raise BrokenLink("the robot reports nothing any more")
        cut_off = self._tripped and self._bridge.command is not None
        return Fault.LINK_SLOW if max(waited_us, silent_us) > self._slow_us or cut_off else Fault.NONE

    def _read_replies(self, now_us: int) -> None:
        data = self._commands.receive()
        offset, size = 0, len(data)
        while size - offset >= REPLY.size:
            command, _, _, result = REPLY.unpack_from(data, offset)
            if not self._asked or command != self._asked[0].command:
                raise BrokenLink("a reply to something that wasn't asked")
            extra = result if command == Cmd.PROCP and result > 0 else 0
            if extra not in (0, SCRIPT_STATUS.size):
                raise BrokenLink("a script's status of a wrong size")
            if size - offset - REPLY.size < extra:
                break
            self._asked.popleft()
            if extra:
                result = self._script_result(*SCRIPT_STATUS.unpack_from(data, offset + REPLY.size))
            offset += REPLY.size + extra
            if self._phase is _Phase.UP:
                self._hear(command, result, now_us)
            else:
                self._go_on_setting_up(result, now_us)
        self._commands.keep(data[offset:])

    def _script_result(self, state: int, *parameters: int) -> int:
        """In set-up its state; afterwards rounds since the trip, where a script that doesn't run counts as tripped."""
        if self._phase is not _Phase.UP:
            return state
        self._halted = state == SCRIPT_HALTED
        return parameters[deadman.TRIPS] if state == SCRIPT_RUNNING else 1

    def _go_on_setting_up(self, result: int, now_us: int) -> None:
        self._set_up_results.append(result)
        if self._asked:
            return
        results, self._set_up_results = self._set_up_results, []
        try:
            self._ask(self._set_up.send(results), now_us)
        except StopIteration as end:
            ready: pigpiod_setup.Ready = end.value
            self._script = ready.script
            self._lag_us = now_us - ready.tick_us
            self._reports.insert(0, Report(ready.tick_us, ready.levels))
            self._reported_us = now_us
            self._phase = _Phase.UP

    def _hear(self, command: int, result: int, now_us: int) -> None:
        """Judge the reply to a command of a tick."""
        if command == Cmd.TICK:
            self._heed_clock(result & _WORD, now_us)
        elif command == Cmd.PROCR:
            self._halted = False
            self._tripped = self._tripped and result < 0
        elif command == Cmd.PROCS:
            pass
        elif result < 0:
            raise BrokenLink(f"the robot refuses command {command}: {result}")
        elif command == Cmd.PROCP and result > 0:
            self._tripped = True

    def _heed_clock(self, tick_us: int, now_us: int) -> None:
        """Learn how far the robot's clock is behind the loop's: the smallest lag seen, as replies only ever come late."""
        tick_us = _unwrapped(tick_us, now_us - self._lag_us)
        self._lag_us = min(self._lag_us + _DRIFT_US, now_us - tick_us)

    def _read_reports(self, now_us: int) -> None:
        data = self._notifications.receive()
        offset = 0
        if self._handle < 0:
            if len(data) < REPLY.size:
                self._notifications.keep(data)
                return
            self._handle = REPLY.unpack_from(data)[3]
            if self._handle < 0:
                raise BrokenLink("the robot has no notifications left")
            offset = REPLY.size
        whole = offset + (len(data) - offset) // REPORT.size * REPORT.size
        reports, expected = self._reports, self._sequence
        near_us = now_us - self._lag_us
        if whole > offset:
            self._reported_us = now_us
        for sequence, flags, tick_us, levels in REPORT.iter_unpack(data[offset:whole]):
            if sequence != expected and expected >= 0:
                self._lost_reports = True
            expected = sequence + 1 & 0xFFFF
            if not flags & NO_CHANGE:
                reports.append(Report(_unwrapped(tick_us, near_us), levels))
        self._sequence = expected
        self._notifications.keep(data[whole:])

    # -- out ----------------------------------------------------------------------------------------------------

    def send(self, now_us: int, command: float | None) -> None:
        """What changed and what is due. Raises BrokenLink."""
        if self._phase is not _Phase.UP:
            return
        batch = self._bridge.change(command)
        if now_us - self._refreshed_us >= _REFRESH_US:
            self._refreshed_us = now_us
            batch += self._refresh(is_off=command is None)
        if batch:
            self._ask(batch, now_us)

    def _ask(self, batch: Sequence[bytes], now_us: int) -> None:
        self._commands.send(b"".join(batch))
        self._asked.extend(_Asked(message[0], now_us) for message in batch)

    def _refresh(self, *, is_off: bool) -> list[bytes]:
        if self._tripped and is_off:
            return self._take_latch_back()
        self._refreshes += 1
        status = [request(Cmd.PROCP, self._script)] if self._refreshes % _REFRESHES_PER_STATUS == 0 else []
        return [request(Cmd.PROCU, self._script, extension=words(self._budget)), request(Cmd.TICK), *status]

    def _take_latch_back(self) -> list[bytes]:
        """The motor is off: stop the tripped script and, once it says that it has halted, start it anew.

        Not both at once: a script that is told to stop and to run in the middle of a delay just goes on.
        """
        if self._halted:
            self._halted = False
            return [pigpiod_setup.start_dead_man(self._script, self._budget)]
        return [request(Cmd.PROCS, self._script), request(Cmd.PROCP, self._script)]

    def close(self) -> None:
        """Close both connections, and let go of set-up, which refers to us: nobody collects circles in the loop."""
        self._set_up.close()
        self._commands.close()
        self._notifications.close()


def _unwrapped(tick_us: int, near_us: int) -> int:
    """The time that has `tick_us` as its low 32 bits and is nearest to `near_us`."""
    return near_us + (tick_us - near_us + 0x80000000 & _WORD) - 0x80000000
