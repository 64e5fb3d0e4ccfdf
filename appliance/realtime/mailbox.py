"""How do datagrams come into a tick and out of it? One at a time, without ever waiting."""

from __future__ import annotations

import socket
from typing import Protocol

from appliance.realtime.messages import MAX_DATAGRAM_BYTES


class Mailbox(Protocol):
    """One end of a pair that carries datagrams."""

    def receive(self) -> bytes | None:
        """The oldest datagram that waits, None if there is none."""

    def send(self, data: bytes) -> bool:
        """Send a datagram; False when there is no room for it now."""


class SocketMailbox:
    """A mailbox over a datagram-keeping Unix socket that the guard has made."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)

    def receive(self) -> bytes | None:
        """The oldest datagram, None if there is none or the other end is gone."""
        try:
            return self._socket.recv(MAX_DATAGRAM_BYTES) or None
        except OSError:
            return None

    def send(self, data: bytes) -> bool:
        """Send a datagram; False when the other side doesn't read, or is gone."""
        try:
            self._socket.send(data)
        except OSError:
            return False
        return True
