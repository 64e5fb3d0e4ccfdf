"""What do runner and lease service say to each other? JSON lines over a Unix socket, one connection for each lease.

The runner connects when a lease's turn has come, and owns its life: it settles, arms, sets the limit and ends it, as for
any job. The end of the connection ends the lease, whoever of the two has gone.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from appliance.lease_shapes import NetworkTiming

_MAX_LINE_BYTES: Final = 4096
_READ_BYTES: Final = 4096


class Fetch(msgspec.Struct, frozen=True, tag="fetch"):
    """Runner: is whoever waits for this job still there?"""

    job: str


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """Runner: the robot is armed, its socket stands there."""

    socket: str
    limit_s: float


class End(msgspec.Struct, frozen=True, tag="end"):
    """Runner: it is over, and why, for whoever drives."""

    why: str


class Here(msgspec.Struct, frozen=True, tag="here"):
    """Service: yes, it waits for its turn."""


class Said(msgspec.Struct, frozen=True, tag="said"):
    """Service: a line for the job's output."""

    text: str


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """Service: it doesn't drive any more. why: '' if it ended by itself and properly."""

    why: str = ""
    network: NetworkTiming | None = None


FromRunner = Fetch | Begin | End
FromService = Here | Said | Ended


class BadLine(ValueError):
    """What came is no line of ours."""


class Line:
    """One end of a connection. Never waits."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self.connection = connection
        self.is_over = False
        self._buffer = b""

    def say(self, message: FromRunner | FromService) -> None:
        """Send; to an end that is gone, or doesn't read, this does nothing but note it."""
        data = msgspec.json.encode(message) + b"\n"
        try:
            self.is_over = self.is_over or self.connection.send(data) != len(data)
        except OSError:
            self.is_over = True

    def hear(self) -> Iterator[bytes]:
        """The lines that have come. Raises BadLine for one that is too long."""
        with contextlib.suppress(BlockingIOError):
            try:
                data = self.connection.recv(_READ_BYTES)
            except ConnectionError:
                data = b""
            self.is_over = self.is_over or not data
            self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        if len(self._buffer) > _MAX_LINE_BYTES:
            raise BadLine(f"a line has more than {_MAX_LINE_BYTES} bytes")
        yield from lines

    def close(self) -> None:
        """Hang up."""
        self.is_over = True
        self.connection.close()


def from_runner(line: bytes) -> FromRunner:
    """Read one of the runner's. Raises BadLine."""
    found: FromRunner = _decoded(line, FromRunner)
    return found


def from_service(line: bytes) -> FromService:
    """Read one of the service's. Raises BadLine."""
    found: FromService = _decoded(line, FromService)
    return found


def _decoded(line: bytes, kinds: Any) -> Any:
    try:
        return msgspec.json.decode(line, type=kinds)
    except msgspec.DecodeError as error:
        raise BadLine(str(error)) from error
