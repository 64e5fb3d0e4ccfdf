"""What do loop, gateway and guard say to each other? Fixed-size datagrams over socket pairs that the guard makes.

gateway -> loop: `DriverRequest`;  loop -> gateway: `DriverReply` (session, driver and a packed `gym_raas.wire` reply).
guard -> loop: `Command`;  loop -> guard: `Notice`.

The loop reads at most one datagram of each kind per tick and never blocks on a send: what doesn't fit is dropped. All
ends stay open in the guard, so a restarted gateway or loop goes on with the same sockets; messages of an old session or
driver are recognised by their numbers and ignored.
"""

from __future__ import annotations

import enum
import struct
from typing import Final, NamedTuple

MAX_DATAGRAM_BYTES: Final = 512


class DriverRequest(NamedTuple):
    """A validated wish of the job: `kind` is gym_raas.wire.Kind (ACTION, READ, RESET), action is finite."""

    session: int
    driver: int
    kind: int
    mode: int
    seq: int
    action: float


class DriverReply(NamedTuple):
    """The loop's answer: `payload` is a packed gym_raas.wire Sample or Refused."""

    session: int
    driver: int
    payload: bytes


class CommandKind(enum.IntEnum):
    """What the guard tells the loop."""

    ARM = 1  # value: time limit in s; session: its number. Opens the segment that the guard has made
    START = 2  # run.py starts: the session's clock and deadline start (a job's first message does the same)
    LEASE = 3  # the runner is alive; the lease runs anew
    DISARM = 4  # motor off, session over
    SETTLE = 5  # brake the pendulum to rest and test it; value: timeout in s
    STOP = 6  # emergency stop: motor off, latched
    RESUME = 7  # clear the latches STOPPED and FAULT
    RETIRE = 8  # the robot is out of service: a latched fault


class Command(NamedTuple):
    """The guard's word to the loop; answered by a Notice with the same `number`, except LEASE."""

    number: int
    kind: int
    session: int
    value: float


class NoticeKind(enum.IntEnum):
    """What the loop tells the guard."""

    DONE = 1  # a command was carried out; value: how long settling took in s, counts: of the zero correction
    REFUSED = 2  # a command was not; code: why
    ENDED = 3  # the session is over; code: Ending
    FAULT = 4  # code: telemetry.Fault
    READY = 5  # the loop has (re)started and runs


class Refusal(enum.IntEnum):
    """Why the loop refused a command."""

    WRONG_STATE = 1
    WRONG_SESSION = 2
    NO_SEGMENT = 3
    SELF_TEST = 4  # settling or the test after it failed; counts: telemetry.Fault
    INTERRUPTED = 5


class Ending(enum.IntEnum):
    """Why a session ended."""

    DISARMED = 1  # by the runner: the job is over
    DEADLINE = 2  # time limit
    LEASE = 3  # the runner fell silent
    STOPPED = 4  # emergency stop
    FAULT = 5


class Notice(NamedTuple):
    """The loop's word to the guard; number 0 where no command is answered.

    test_s, friction_rad_s2: how long a self-test took and which Coulomb friction it found; 0 where there was none.
    """

    number: int
    kind: int
    session: int
    code: int
    counts: int
    value: float
    test_s: float = 0.0
    friction_rad_s2: float = 0.0


_REQUEST: Final = struct.Struct("<QIBBxxId")
_REPLY: Final = struct.Struct("<QI")
_COMMAND: Final = struct.Struct("<IB3xQd")
_NOTICE: Final = struct.Struct("<IB3xQIqddd")


def pack_request(request: DriverRequest) -> bytes:
    """A driver request as bytes."""
    return _REQUEST.pack(*request)


def unpack_request(data: bytes) -> DriverRequest:
    """Read a driver request. Raises struct.error on a wrong size."""
    return DriverRequest(*_REQUEST.unpack(data))


def pack_reply(reply: DriverReply) -> bytes:
    """A driver reply as bytes."""
    return _REPLY.pack(reply.session, reply.driver) + reply.payload


def unpack_reply(data: bytes) -> DriverReply:
    """Read a driver reply. Raises struct.error on a wrong size."""
    session, driver = _REPLY.unpack_from(data)
    return DriverReply(session, driver, data[_REPLY.size :])


def pack_command(command: Command) -> bytes:
    """A command as bytes."""
    return _COMMAND.pack(*command)


def unpack_command(data: bytes) -> Command:
    """Read a command. Raises struct.error on a wrong size."""
    return Command(*_COMMAND.unpack(data))


def pack_notice(notice: Notice) -> bytes:
    """A notice as bytes."""
    return _NOTICE.pack(*notice)


def unpack_notice(data: bytes) -> Notice:
    """Read a notice. Raises struct.error on a wrong size."""
    return Notice(*_NOTICE.unpack(data))
