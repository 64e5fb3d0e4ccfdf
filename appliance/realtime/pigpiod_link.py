"""How does the loop reach the motor and the encoder? pigpiod's socket protocol, without ever waiting for an answer.

Two connections. On the first, everything that one tick has to say goes out in one send: new duty for both pins when
it changed, every few ticks a refresh of the dead-man. Its replies are read in the following ticks, and each has a
deadline. On the second come reports of encoder edges. Connecting and set-up run in the same non-blocking way, so
a robot that is away costs the loop's ticks nothing.
"""

from __future__ import annotations

import enum
import errno
import socket
from collections import deque
from collections.abc import Generator, Sequence
from typing import Final, NamedTuple

from appliance.realtime import deadman, pigpiod_protocol
from appliance.realtime.encoder import Report
from appliance.realtime.link import Received
from appliance.realtime.pigpiod_protocol import Cmd, request
from appliance.realtime.telemetry import Fault
from gym_raas.parameters import Robot

_REFRESH_US: Final = 8_000
_REFRESHES_PER_STATUS: Final = 4
#: Unanswered for this long, the connection is given up; a shorter silence than that is LINK_SLOW.
_LOST_US: Final = 1_000_000
_RETRY_US: Final = 250_000
_BUFFER_BYTES: Final = 65_536
#: The clocks of robot and loop may drift apart by this much: 100 ppm, in microseconds per refresh.
_DRIFT_US: Final = 1


_WORD: Final = 0xFFFFFFFF


class _Broken(Exception):
    """The connection can't be used any more; the message says why."""


class _Phase(enum.Enum):
    DOWN = enum.auto()
    CONNECTING = enum.auto()
    SETTING_UP = enum.auto()
    UP = enum.auto()


class _Asked(NamedTuple):
    command: int
    sent_us: int


_SetUp = Generator[list[bytes], list[int], None]


class _Connection:
    """A non-blocking TCP connection."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(_BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._kept_bytes = 0

    def is_open(self) -> bool:
        """Go on connecting; True once connected. Raises _Broken."""
        code = self._socket.connect_ex(self._address)
        if code in (0, errno.EISCONN):
            return True
        if code in (errno.EINPROGRESS, errno.EALREADY, errno.EAGAIN):
            return False
        raise _Broken(errno.errorcode.get(code, str(code)))

    def send(self, data: bytes) -> None:
        """Send all of it at once. Raises _Broken when it doesn't fit: then nobody has read for a long time."""
        try:
            sent = self._socket.send(data)
        except OSError as error:
            raise _Broken(str(error)) from error
        if sent < len(data):
            raise _Broken("the robot doesn't read what it is sent")

    def receive(self) -> memoryview:
        """Everything unread, what was kept before first; valid until the next call. Raises _Broken."""
        try:
            count = self._socket.recv_into(self._view[self._kept_bytes :])
        except BlockingIOError:
            return self._view[: self._kept_bytes]
        except OSError as error:
            raise _Broken(str(error)) from error
        if not count:
            raise _Broken("the robot closed the connection")
        return self._view[: self._kept_bytes + count]

    def keep(self, rest: memoryview) -> None:
        """Keep bytes of a message that isn't complete for the next `receive`."""
        self._kept_bytes = len(rest)
        self._buffer[: self._kept_bytes] = bytes(rest)

    def close(self) -> None:
        self._socket.close()


class PigpiodLink:
    """The robot behind pigpiod, or behind the twin at the same socket."""

    def __init__(self, host: str, port: int, robot: Robot, dead_man_s: float) -> None:
        self._address = (host, port)
        self._robot = robot
        self._pins = robot.pins
        self._budget = deadman.budget(dead_man_s)
        self._slow_us = round(dead_man_s * 1e6)
        self._retry_us = self._now_us = self._opened_us = 0
        self._phase = _Phase.DOWN
        self._commands: _Connection | None = None
        self._notifications: _Connection | None = None
        self._forget()

    def _forget(self) -> None:
        """Everything that is true of one pair of connections only."""
        self._asked: deque[_Asked] = deque()
        self._set_up: _SetUp | None = None
        self._set_up_results: list[int] = []
        self._fault = Fault.NONE
        self._script = -1
        self._tripped = False
        self._applied: float | None = None
        self._pin_duty = {self._pins.forward: -1, self._pins.backward: -1}
        self._refreshed_us = 0
        self._refreshes = 0
        self._sequence = -1
        self._lost_reports = False
        self._reports: list[Report] = []
        self._lag_us = 0
        self._rearming = False
        self._handle = -1

    # -- in -----------------------------------------------------------------------------------------------------

    def receive(self, now_us: int) -> Received:
        """Replies, reports, and whatever connecting or set-up has to do next."""
        self._now_us = now_us
        try:
            self._advance(now_us)
        except _Broken:
            self._give_up(now_us)
        up = self._phase is _Phase.UP
        reports, self._reports = self._reports, []
        lost, self._lost_reports = self._lost_reports, False
        fault, self._fault = self._fault, Fault.NONE
        return Received(up, fault if up else Fault.LINK_LOST, reports, lost, now_us - self._lag_us)

    def _advance(self, now_us: int) -> None:
        if self._phase is _Phase.DOWN:
            if now_us >= self._retry_us:
                self._retry_us = now_us + _RETRY_US
                self._commands, self._notifications = _Connection(self._address), _Connection(self._address)
                self._opened_us = now_us
                self._phase = _Phase.CONNECTING
            return
        assert self._commands is not None
        assert self._notifications is not None
        if self._phase is _Phase.CONNECTING:
            if not (self._commands.is_open() and self._notifications.is_open()):
                if now_us - self._opened_us > _LOST_US:
                    raise _Broken("the robot doesn't take the connection")
                return
            self._phase = _Phase.SETTING_UP
            self._notifications.send(request(Cmd.NOIB))
            self._set_up = self._steps_of_set_up()
            self._ask(next(self._set_up), now_us)
        self._read_replies(self._commands, now_us)
        self._read_reports(self._notifications, now_us)
        self._judge(now_us)

    def _judge(self, now_us: int) -> None:
        """Compare the oldest unanswered request with its deadlines."""
        if not self._asked:
            return
        waited_us = now_us - self._asked[0].sent_us
        if waited_us > _LOST_US:
            raise _Broken("the robot doesn't answer")
        if waited_us > self._slow_us:
            self._fault = Fault.LINK_SLOW

    def _read_replies(self, connection: _Connection, now_us: int) -> None:
        data = connection.receive()
        offset, size = 0, len(data)
        while size - offset >= 16:
            if not self._asked:
                raise _Broken("a reply that nobody asked for")
            command, _, _, result = pigpiod_protocol.REPLY.unpack_from(data, offset)
            asked = self._asked[0]
            if command != asked.command:
                raise _Broken("a reply to something else")
            extra = result if command == Cmd.PROCP and result > 0 else 0
            if size - offset - 16 < extra:
                break
            self._asked.popleft()
            if extra:
                status = pigpiod_protocol.SCRIPT_STATUS.unpack_from(data, offset + 16)
                result = status[0] if self._set_up is not None else _trips(status)
            offset += 16 + extra
            if self._set_up is not None:
                self._go_on_setting_up(result, now_us)
            else:
                self._hear(asked, result, now_us)
        connection.keep(data[offset:])

    def _hear(self, asked: _Asked, result: int, now_us: int) -> None:
        """Judge the reply to a command of a tick."""
        command = asked.command
        if command == Cmd.TICK:
            self._heed_clock(result & _WORD, now_us)
        elif command == Cmd.PROCP:
            self._heed_dead_man(result)
        elif command == Cmd.PROCR:
            self._rearming = False
            self._tripped = self._tripped and result < 0
        elif command != Cmd.PROCS and result < 0:
            raise _Broken(f"the robot refuses command {command}: {result}")

    def _heed_dead_man(self, trips: int) -> None:
        """A dead-man that tripped although this process lives: the link or the loop was too slow."""
        if trips < 0:
            raise _Broken("the dead-man script is gone")
        if trips > 0 and not self._tripped:
            self._tripped = True
            if self._applied is not None:
                self._fault = Fault.LINK_SLOW

    def _heed_clock(self, tick_us: int, now_us: int) -> None:
        """Learn how far the robot's clock (32 bits, unwrapped here) is behind the loop's: the smallest lag seen."""
        tick_us = _unwrapped(tick_us, now_us - self._lag_us)
        self._lag_us = min(self._lag_us + _DRIFT_US, now_us - tick_us)

    def _read_reports(self, connection: _Connection, now_us: int) -> None:
        data = connection.receive()
        offset = 0
        if self._handle < 0:
            if len(data) < 16:
                connection.keep(data)
                return
            self._handle = pigpiod_protocol.REPLY.unpack_from(data)[3]
            if self._handle < 0:
                raise _Broken("the robot has no notifications left")
            offset = 16
        whole = offset + (len(data) - offset) // 12 * 12
        reports, expected = self._reports, self._sequence
        near_us = now_us - self._lag_us
        for sequence, flags, tick_us, levels in pigpiod_protocol.REPORT.iter_unpack(data[offset:whole]):
            if sequence != expected and expected >= 0:
                self._lost_reports = True
            expected = sequence + 1 & 0xFFFF
            if not flags & pigpiod_protocol.NO_CHANGE:
                reports.append(Report(_unwrapped(tick_us, near_us), levels))
        self._sequence = expected
        connection.keep(data[whole:])

    # -- set-up -------------------------------------------------------------------------------------------------

    def _go_on_setting_up(self, result: int, now_us: int) -> None:
        assert self._set_up is not None
        self._set_up_results.append(result)
        if self._asked:
            return
        results, self._set_up_results = self._set_up_results, []
        try:
            self._ask(self._set_up.send(results), now_us)
        except StopIteration:
            self._set_up = None
            self._phase = _Phase.UP

    def _steps_of_set_up(self) -> _SetUp:
        """Batches of requests; each batch's results come back. Motor off first, then everything that moves it."""
        pins, pwm = self._pins, self._robot.pwm
        outputs, inputs = (pins.forward, pins.backward), (pins.encoder_a, pins.encoder_b)
        yield [request(Cmd.WRITE, pin, 0) for pin in outputs]
        slots = range(pigpiod_protocol.SCRIPT_SLOTS)  # scripts outlive their clients; an empty slot answers an error
        yield [request(command, slot) for slot in slots for command in (Cmd.PROCS, Cmd.PROCD)]
        results = yield [
            *(request(Cmd.MODES, pin, pigpiod_protocol.MODE_OUTPUT) for pin in outputs),
            *(request(Cmd.WRITE, pin, 0) for pin in outputs),
            *(request(Cmd.MODES, pin, pigpiod_protocol.MODE_INPUT) for pin in inputs),
            *(request(Cmd.PUD, pin, pigpiod_protocol.PULL_UP) for pin in inputs),
            *(request(Cmd.PFS, pin, pwm.frequency_hz) for pin in outputs if pwm.mode == "software"),
            *(request(Cmd.PRS, pin, pwm.range) for pin in outputs if pwm.mode == "software"),
        ]
        _demand(results, "set-up of the pins")
        results = yield [*(request(Cmd.GDC, pin) for pin in outputs), *(request(Cmd.READ, pin) for pin in outputs)]
        if results != [pigpiod_protocol.NOT_PWM_GPIO] * 2 + [0, 0]:
            raise _Broken(f"the pins are not off: {results}")
        yield from self._store_dead_man()
        while self._handle < 0:
            yield [request(Cmd.TICK)]
        [tick_us] = yield [request(Cmd.TICK)]
        self._lag_us = self._now_us - (tick_us & _WORD)
        levels, *results = yield [
            request(Cmd.BR1), request(Cmd.NB, self._handle, sum(1 << pin for pin in inputs))
        ]  # fmt: skip
        _demand(results, "notifications")
        self._reports.insert(0, Report(tick_us & _WORD, levels & _WORD))

    def _store_dead_man(self) -> _SetUp:
        [self._script] = yield [request(Cmd.PROC, extension=deadman.script(self._pins))]
        _demand([self._script], "storing the dead-man script")
        state = pigpiod_protocol.SCRIPT_INITING
        while state == pigpiod_protocol.SCRIPT_INITING:
            [state] = yield [request(Cmd.PROCP, self._script)]
        _demand((yield [self._start_dead_man()]), "starting the dead-man script")

    def _start_dead_man(self) -> bytes:
        return request(Cmd.PROCR, self._script, extension=pigpiod_protocol.words(self._budget, 0, 0, 0))

    # -- out ----------------------------------------------------------------------------------------------------

    def send(self, now_us: int, command: float | None) -> None:
        """Duty when it changed, dead-man when it is due, in one send."""
        if self._phase is not _Phase.UP:
            return
        batch: list[bytes] = []
        if command != self._applied:
            batch += self._off() if command is None else self._duty(command)
            self._applied = command
        if now_us - self._refreshed_us >= _REFRESH_US:
            self._refreshed_us = now_us
            batch += self._refresh(command)
        if batch:
            try:
                self._ask(batch, now_us)
            except _Broken:
                self._give_up(now_us)

    def _ask(self, batch: Sequence[bytes], now_us: int) -> None:
        assert self._commands is not None
        self._commands.send(b"".join(batch))
        self._asked.extend(_Asked(message[0], now_us) for message in batch)

    def _off(self) -> list[bytes]:
        """WRITE is the one command that ends every kind of PWM."""
        self._pin_duty = dict.fromkeys(self._pin_duty, -1)
        return [request(Cmd.WRITE, pin, 0) for pin in self._pin_duty]

    def _duty(self, command: float) -> list[bytes]:
        """Commands for both pins, the one that goes to zero first. After OFF the pins are made outputs again."""
        forward, backward = self._pins.forward, self._pins.backward
        active, idle = (forward, backward) if command >= 0 else (backward, forward)
        batch = []
        if self._applied is None:
            batch = [request(Cmd.MODES, pin, pigpiod_protocol.MODE_OUTPUT) for pin in (idle, active)]
        batch += self._pin(idle, 0.0)
        batch += self._pin(active, abs(command))
        return batch

    def _pin(self, pin: int, command: float) -> list[bytes]:
        pwm = self._robot.pwm
        hardware = pwm.mode == "hardware"
        duty = round(command * pigpiod_protocol.HARDWARE_RANGE / pwm.range if hardware else command)
        if self._pin_duty[pin] == duty:
            return []
        self._pin_duty[pin] = duty
        if not hardware:
            return [request(Cmd.PWM, pin, duty)]
        if duty == 0:  # both pins share one channel: HP with duty 0 on the idle pin would switch the other off
            return [request(Cmd.WRITE, pin, 0)]
        return [request(Cmd.HP, pin, pwm.frequency_hz, pigpiod_protocol.words(duty))]

    def _refresh(self, command: float | None) -> list[bytes]:
        if self._tripped and command is None and not self._rearming:  # the motor is off: the latch may be taken back
            self._rearming = True
            return [request(Cmd.PROCS, self._script), self._start_dead_man()]
        batch = [
            request(Cmd.PROCU, self._script, extension=pigpiod_protocol.words(self._budget)),
            request(Cmd.TICK),
        ]
        self._refreshes += 1
        if self._refreshes % _REFRESHES_PER_STATUS == 0:
            batch.append(request(Cmd.PROCP, self._script))
        return batch

    def _give_up(self, now_us: int) -> None:
        for connection in (self._commands, self._notifications):
            if connection is not None:
                connection.close()
        self._commands = self._notifications = None
        self._phase = _Phase.DOWN
        self._retry_us = now_us + _RETRY_US
        self._forget()

    def close(self) -> None:
        """Motor off and both connections closed; what was sent is still delivered."""
        if self._phase is _Phase.UP:
            self.send(self._refreshed_us, None)
        self._give_up(0)


def _unwrapped(tick_us: int, near_us: int) -> int:
    """The time that has `tick_us` as its low 32 bits and is nearest to `near_us`."""
    return near_us + (tick_us - near_us + 0x80000000 & _WORD) - 0x80000000


def _trips(status: tuple[int, ...]) -> int:
    """Rounds of the dead-man since it tripped; a script that doesn't run protects nobody and counts as tripped."""
    running = status[0] == pigpiod_protocol.SCRIPT_RUNNING
    return status[1 + deadman.TRIPS] if running else 1


def _demand(results: Sequence[int], what: str) -> None:
    if any(result < 0 for result in results):
        raise _Broken(f"{what} was refused: {list(results)}")
