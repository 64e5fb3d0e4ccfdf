"""What do a job and the robot say to each other? Fixed-layout little-endian messages, one ZeroMQ frame each.

A job's DEALER socket connects to the gateway's ROUTER. Every message starts with the same four bytes (magic,
version, kind), is at most `MAX_MESSAGE_BYTES` long and has exactly one legal size, so the gateway can refuse
anything else by looking at the length and four bytes. The robot reports samples (counts, angle, velocity);
observation and reward follow from them by the robot's kind (`gym_raas.kinds`), on both sides alike.

Client -> gateway: HELLO, ACTION, READ, RESET, BYE.  Gateway -> client: WELCOME, SAMPLE, REFUSAL.
"""

from __future__ import annotations

import enum
import struct
from dataclasses import dataclass
from typing import Final

MAGIC: Final = b"RW"
VERSION: Final = 2
MAX_MESSAGE_BYTES: Final = 256

#: Where a job finds the robot inside the appliance's container; the socket exists only while a session is armed.
JOB_SOCKET_DIR: Final = "/run/raas-job"
SOCKET_NAME: Final = "robot"
#: Tests and tools may point the client elsewhere, e.g. `ipc:///tmp/x/robot`.
ENVIRONMENT_VARIABLE: Final = "RAAS_ROBOT"


class Kind(enum.IntEnum):
    """The fourth byte of a message."""

    HELLO = 1
    ACTION = 2
    READ = 3
    RESET = 4
    BYE = 5
    WELCOME = 17
    SAMPLE = 18
    REFUSAL = 19


class ResetMode(enum.IntEnum):
    """How far a reset goes: the classic face only switches the motor off, the modern one waits until the robot rests."""

    MOTOR_OFF = 0
    SETTLE = 1


class Refusal(enum.IntEnum):
    """Why the gateway refused; the text beside it is for people."""

    BUSY = 1  # another environment drives in this session
    NOT_DRIVER = 2  # say HELLO first, or another one drives
    MALFORMED = 3  # wrong size, version, kind, or a number that isn't finite
    TOO_FAST = 4  # more messages than the rate limit allows
    OVER = 5  # the session has ended (time limit, stop, fault)
    STOPPED = 6  # emergency stop
    FAULT = 7  # the robot is faulty
    PENDING = 8  # the previous request of this driver has not been answered yet


class Flag(enum.IntFlag):
    """What happened during a step, in SAMPLE.flags."""

    NONE = 0
    CLAMPED_ACTION = 1  # |action| beyond the limit
    OVER_SPEED = 2  # drive removed in the direction of motion
    LATE = 4  # at least one boundary passed unused before this step's own
    SILENCE = 8  # duty had gone to zero before this action
    SETTLED = 16  # reset: the robot is at rest where episodes begin
    END_ZONE = 32  # drive towards an end of its way removed, because that is near


class WireError(ValueError):
    """Bytes that are not a message of this protocol."""


_HEADER = struct.Struct("<2sBB")
_HELLO = struct.Struct("<2sBBQ")
_ACTION = struct.Struct("<2sBBId")
_READ = struct.Struct("<2sBBI")
_RESET = struct.Struct("<2sBBIB")
_BYE = struct.Struct("<2sBB")
_WELCOME = struct.Struct("<2sBBddId16s16s")
_SAMPLE = struct.Struct("<2sBBIIIQqddddddI")
_REFUSAL = struct.Struct("<2sBBIB160s")


@dataclass(frozen=True, slots=True)
class Hello:
    """First message of an environment; `client` is a random number that tells two environments apart."""

    client: int

    def pack(self) -> bytes:
        """The message as bytes."""
        return _HELLO.pack(MAGIC, VERSION, Kind.HELLO, self.client)


@dataclass(frozen=True, slots=True)
class Action:
    """Act from the next tick on, answer at the step's boundary."""

    seq: int
    action: float

    def pack(self) -> bytes:
        """The message as bytes."""
        return _ACTION.pack(MAGIC, VERSION, Kind.ACTION, self.seq, self.action)


@dataclass(frozen=True, slots=True)
class Read:
    """Answer with the newest sample at once; advances nothing."""

    seq: int

    def pack(self) -> bytes:
        """The message as bytes."""
        return _READ.pack(MAGIC, VERSION, Kind.READ, self.seq)


@dataclass(frozen=True, slots=True)
class Reset:
    """Motor off, pause clock and silence; answer at once or when the robot rests."""

    seq: int
    mode: ResetMode

    def pack(self) -> bytes:
        """The message as bytes."""
        return _RESET.pack(MAGIC, VERSION, Kind.RESET, self.seq, self.mode)


@dataclass(frozen=True, slots=True)
class Bye:
    """This environment is closed; the next one may drive."""

    def pack(self) -> bytes:
        """The message as bytes."""
        return _BYE.pack(MAGIC, VERSION, Kind.BYE)


@dataclass(frozen=True, slots=True)
class Welcome:
    """You drive. `parameter_hash` is that of the robot's file (16 hex digits), `robot_kind` its kind (at most 16 letters)."""

    dt_s: float
    time_left_s: float
    counts_per_turn: int
    action_limit: float
    parameter_hash: str
    robot_kind: str = "pendulum"

    def pack(self) -> bytes:
        """The message as bytes."""
        return _WELCOME.pack(
            MAGIC, VERSION, Kind.WELCOME, self.dt_s, self.time_left_s, self.counts_per_turn, self.action_limit,
            self.parameter_hash.encode("ascii"), self.robot_kind.encode("ascii"),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sample:
    """What the robot measured, and when.

    seq: the request it answers. k: index of the boundary on the grid t0 + k * dt (0 before the first step).
    missed: boundaries passed unused so far in the session. t_us: sample time since the session's start.
    counts: encoder counts from where the robot rests. angle_rad: of the shaft, not wrapped. action_delay_s: from the
    request's arrival in the loop to its first tick of duty. held_s: how long the action had acted at the boundary.
    duration_s: of a reset. command: the applied signed PWM command.
    """

    seq: int
    k: int
    missed: int
    t_us: int
    counts: int
    angle_rad: float
    velocity_rad_s: float
    action_delay_s: float
    held_s: float
    duration_s: float
    command: float
    flags: int

    def pack(self) -> bytes:
        """The message as bytes."""
        return _SAMPLE.pack(
            MAGIC, VERSION, Kind.SAMPLE, self.seq, self.k, self.missed, self.t_us, self.counts, self.angle_rad,
            self.velocity_rad_s, self.action_delay_s, self.held_s, self.duration_s, self.command, self.flags,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refused:
    """The request was not carried out; `text` says what to do, at most 160 bytes of UTF-8."""

    seq: int
    code: Refusal
    text: str

    def pack(self) -> bytes:
        """The message as bytes."""
        text = self.text.encode()[:160].decode(errors="ignore").encode()
        return _REFUSAL.pack(MAGIC, VERSION, Kind.REFUSAL, self.seq, self.code, text)


Request = Hello | Action | Read | Reset | Bye
Reply = Welcome | Sample | Refused


def _check(data: bytes, kinds: range) -> Kind:
    if len(data) < _HEADER.size or len(data) > MAX_MESSAGE_BYTES:
        raise WireError(f"a message has {_HEADER.size} to {MAX_MESSAGE_BYTES} bytes, this one {len(data)}")
    magic, version, kind = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise WireError("not a message of the raas protocol")
    if version != VERSION:
        raise WireError(f"protocol version {version}, this side speaks {VERSION}: update gym_raas")
    if kind not in kinds or kind not in Kind._value2member_map_:
        raise WireError(f"message kind {kind} is not legal here")
    return Kind(kind)


def _unpack(layout: struct.Struct, kind: Kind, data: bytes) -> tuple[float, ...]:
    if len(data) != layout.size:
        raise WireError(f"a {kind.name} message has {layout.size} bytes, this one {len(data)}")
    return layout.unpack(data)[3:]


def parse_request(data: bytes) -> Request:
    """Read a client's message; raises WireError on anything that isn't exactly one.

    Numbers are not judged here: whether an action is finite is the gateway's question.
    """
    kind = _check(data, range(1, 16))
    if kind is Kind.HELLO:
        (client,) = _unpack(_HELLO, kind, data)
        return Hello(int(client))
    if kind is Kind.ACTION:
        seq, action = _unpack(_ACTION, kind, data)
        return Action(int(seq), action)
    if kind is Kind.READ:
        (seq,) = _unpack(_READ, kind, data)
        return Read(int(seq))
    if kind is Kind.RESET:
        seq, mode = _unpack(_RESET, kind, data)
        if mode not in ResetMode._value2member_map_:
            raise WireError(f"reset mode {mode} is unknown")
        return Reset(int(seq), ResetMode(int(mode)))
    _unpack(_BYE, kind, data)
    return Bye()


def _ascii(text: bytes) -> str:
    try:
        return text.decode("ascii")
    except UnicodeDecodeError as error:
        raise WireError("a welcome with bytes that are no ASCII") from error


def parse_reply(data: bytes) -> Reply:
    """Read the gateway's message; raises WireError on anything that isn't exactly one."""
    kind = _check(data, range(16, 32))
    if kind is Kind.WELCOME:
        _unpack(_WELCOME, kind, data)
        *_, dt_s, time_left_s, counts, limit, digest, robot_kind = _WELCOME.unpack(data)
        return Welcome(dt_s, time_left_s, counts, limit, _ascii(digest), _ascii(robot_kind.rstrip(b"\0")))
    if kind is Kind.SAMPLE:
        _unpack(_SAMPLE, kind, data)
        return Sample(*_SAMPLE.unpack(data)[3:])
    _unpack(_REFUSAL, kind, data)
    *_, seq, code, text = _REFUSAL.unpack(data)
    if code not in Refusal._value2member_map_:
        raise WireError(f"refusal code {code} is unknown")
    return Refused(seq, Refusal(code), text.rstrip(b"\0").decode(errors="replace"))
