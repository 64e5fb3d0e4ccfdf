"""What do a remote program and an appliance's lease service say to each other? Fixed-layout messages over encrypted ZeroMQ.

A message is one frame: four bytes (magic, version, kind) and a fixed layout, and behind some a message of the job's own
protocol (`gym_raas.wire`), untouched. The client's random number makes it known again after a lost connection.

Client -> service: ASK, REQUEST.  Service -> client: PLACE, GRANTED, REPLY, DENIED.
"""

from __future__ import annotations

import enum
import math
import struct
from dataclasses import dataclass
from typing import Any, Final

from gym_raas import wire

MAGIC: Final = b"RL"
VERSION: Final = 1
DEFAULT_PORT: Final = 5588
MAX_MESSAGE_BYTES: Final = 512
#: Of the texts in messages, in bytes of UTF-8.
TEXT_BYTES: Final = 240
TITLE_BYTES: Final = 80


class RemoteKind(enum.IntEnum):
    """The fourth byte of a message."""

    ASK = 1
    REQUEST = 2
    PLACE = 17
    GRANTED = 18
    REPLY = 19
    DENIED = 20


class Denial(enum.IntEnum):
    """Why there is no lease; the text beside it is for people."""

    NOT_ALLOWED = 1  # this person's permission has ended
    QUOTA = 2  # this person has used up the day's time
    BUSY = 3  # this person has a place already
    FULL = 4  # too many wait
    OVER = 5  # it has ended: time limit, cancelled, stopped, or nobody was heard for too long
    MALFORMED = 6
    UNAVAILABLE = 7  # the appliance can't take it now


@dataclass(frozen=True, slots=True)
class Ask:
    """Queue me, or tell me again where I am. seconds: how long at most; 0: as long as the owner allows."""

    client: int
    seconds: float
    title: str

    def pack(self) -> bytes:
        """The message as bytes."""
        return _ASK.pack(MAGIC, VERSION, RemoteKind.ASK, self.client, self.seconds, _text(self.title, TITLE_BYTES))


@dataclass(frozen=True, slots=True)
class Request:
    """A message for the robot. network_s: what the exchange before this one spent on the network, as the client measured."""

    client: int
    network_s: float
    inner: bytes

    def pack(self) -> bytes:
        """The message as bytes."""
        return _REQUEST.pack(MAGIC, VERSION, RemoteKind.REQUEST, self.client, self.network_s) + self.inner


@dataclass(frozen=True, slots=True)
class Place:
    """You wait. position: 1 is next; 0: it is your turn. text: a sentence with an estimate."""

    position: int
    text: str

    def pack(self) -> bytes:
        """The message as bytes."""
        return _PLACE.pack(MAGIC, VERSION, RemoteKind.PLACE, self.position, _text(self.text))


@dataclass(frozen=True, slots=True)
class Granted:
    """The robot is yours for `limit_s`, as this job."""

    job_id: str
    limit_s: float

    def pack(self) -> bytes:
        """The message as bytes."""
        return _GRANTED.pack(MAGIC, VERSION, RemoteKind.GRANTED, self.job_id.encode("ascii"), self.limit_s)


@dataclass(frozen=True, slots=True)
class Reply:
    """A message from the robot. at_robot_s: how long the request was there, mostly until its step's boundary."""

    at_robot_s: float
    inner: bytes

    def pack(self) -> bytes:
        """The message as bytes."""
        return _REPLY.pack(MAGIC, VERSION, RemoteKind.REPLY, self.at_robot_s) + self.inner


@dataclass(frozen=True, slots=True)
class Denied:
    """You have no lease (any more); `text` says what to do."""

    code: Denial
    text: str

    def pack(self) -> bytes:
        """The message as bytes."""
        return _DENIED.pack(MAGIC, VERSION, RemoteKind.DENIED, self.code, _text(self.text))


FromClient = Ask | Request
FromService = Place | Granted | Reply | Denied

_HEADER: Final = struct.Struct("<2sBB")
_ASK: Final = struct.Struct(f"<2sBBQd{TITLE_BYTES}s")
_REQUEST: Final = struct.Struct("<2sBBQd")
_PLACE: Final = struct.Struct(f"<2sBBI{TEXT_BYTES}s")
_GRANTED: Final = struct.Struct("<2sBB26sd")
_REPLY: Final = struct.Struct("<2sBBd")
_DENIED: Final = struct.Struct(f"<2sBBB{TEXT_BYTES}s")


def parse_from_client(data: bytes) -> FromClient:
    """Read a client's message. Raises wire.WireError on anything that isn't exactly one; `inner` isn't judged."""
    kind = _kind(data)
    if kind is RemoteKind.ASK:
        client, seconds, title = _fields(_ASK, data, exact=True)
        return Ask(client, _finite(seconds), _plain(title))
    if kind is RemoteKind.REQUEST:
        client, network_s = _fields(_REQUEST, data, exact=False)
        return Request(client, _finite(network_s), data[_REQUEST.size :])
    raise wire.WireError(f"a client sends no {kind.name}")


def parse_from_service(data: bytes) -> FromService:
    """Read the service's message. Raises wire.WireError on anything that isn't exactly one."""
    kind = _kind(data)
    if kind is RemoteKind.PLACE:
        position, text = _fields(_PLACE, data, exact=True)
        return Place(position, _plain(text))
    if kind is RemoteKind.GRANTED:
        job_id, limit_s = _fields(_GRANTED, data, exact=True)
        return Granted(_plain(job_id), limit_s)
    if kind is RemoteKind.REPLY:
        (at_robot_s,) = _fields(_REPLY, data, exact=False)
        return Reply(at_robot_s, data[_REPLY.size :])
    if kind is RemoteKind.DENIED:
        code, text = _fields(_DENIED, data, exact=True)
        return Denied(Denial(code) if code in Denial._value2member_map_ else Denial.UNAVAILABLE, _plain(text))
    raise wire.WireError(f"a service sends no {kind.name}")


def other_version(data: bytes) -> int | None:
    """The version of a message that is ours but for its version; None for any other."""
    if len(data) < _HEADER.size:
        return None
    magic, version, _ = _HEADER.unpack_from(data)
    return int(version) if magic == MAGIC and version != VERSION else None


def _kind(data: bytes) -> RemoteKind:
    if not _HEADER.size <= len(data) <= MAX_MESSAGE_BYTES:
        raise wire.WireError(f"a message has {_HEADER.size} to {MAX_MESSAGE_BYTES} bytes, this one {len(data)}")
    magic, version, kind = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise wire.WireError("not a message of the lease protocol")
    if version != VERSION:
        raise wire.WireError(f"lease protocol version {version}, this side speaks {VERSION}")
    if kind not in RemoteKind._value2member_map_:
        raise wire.WireError(f"message kind {kind} is unknown")
    return RemoteKind(kind)


def _fields(layout: struct.Struct, data: bytes, *, exact: bool) -> tuple[Any, ...]:
    if len(data) < layout.size or (exact and len(data) != layout.size):
        raise wire.WireError(f"such a message has {layout.size} bytes, this one {len(data)}")
    return layout.unpack_from(data)[3:]


def _finite(value: float) -> float:
    if not math.isfinite(value) or value < 0.0:
        raise wire.WireError(f"{value} is no number of seconds")
    return value


def _text(text: str, size: int = TEXT_BYTES) -> bytes:
    return text.encode(errors="replace")[:size].decode(errors="ignore").encode()


def _plain(text: bytes) -> str:
    """One printable line: both ends show it to people."""
    found = text.rstrip(b"\0").decode(errors="replace")
    return "".join(character if character.isprintable() else " " for character in found).strip()
