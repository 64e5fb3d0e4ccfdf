"""How are bytes exchanged with a daemon without ever waiting for it? One non-blocking TCP connection."""

from __future__ import annotations

import errno
import socket
from typing import Final, NamedTuple

_BUFFER_BYTES: Final = 65_536


class BrokenLink(Exception):
    """The connection can't be used any more; the message says why."""


class Target(NamedTuple):
    """A resolved address."""

    family: socket.AddressFamily
    address: tuple[object, ...]


def targets(host: str, port: int) -> list[Target]:
    """All addresses of a host: `localhost` may be ::1, 127.0.0.1 or both. Waits for a resolver; raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [Target(family, address) for family, _, _, _, address in found]


class Connection:
    """A connection that is opened, read and written in steps, none of which waits."""

    def __init__(self, target: Target) -> None:
        self._address = target.address
        self._socket = socket.socket(target.family, socket.SOCK_STREAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(_BUFFER_BYTES)
        self._view = memoryview(self._buffer)
        self._kept_bytes = 0

    def is_open(self) -> bool:
        """Go on connecting; True once connected. Raises BrokenLink."""
        code = self._socket.connect_ex(self._address)
        if code in (0, errno.EISCONN):
            return True
        if code in (errno.EINPROGRESS, errno.EALREADY, errno.EAGAIN):
            return False
        raise BrokenLink(errno.errorcode.get(code, str(code)))

    def send(self, data: bytes) -> None:
        """Send all of it at once. Raises BrokenLink when it doesn't fit: then nobody has read for a long time."""
        try:
            sent = self._socket.send(data)
        except OSError as error:
            raise BrokenLink(str(error)) from error
        if sent < len(data):
            raise BrokenLink("the robot doesn't read what it is sent")

    def receive(self) -> memoryview:
        """Everything unread, what was kept before first; valid until the next call. Raises BrokenLink."""
        try:
            count = self._socket.recv_into(self._view[self._kept_bytes :])
        except BlockingIOError:
            return self._view[: self._kept_bytes]
        except OSError as error:
            raise BrokenLink(str(error)) from error
        if not count:
            raise BrokenLink("the robot closed the connection")
        return self._view[: self._kept_bytes + count]

    def keep(self, rest: memoryview) -> None:
        """Keep the bytes of a message that isn't complete for the next `receive`."""
        self._kept_bytes = len(rest)
        self._buffer[: self._kept_bytes] = bytes(rest)

    def close(self) -> None:
        """Let go; what was sent is still delivered."""
        self._socket.close()
