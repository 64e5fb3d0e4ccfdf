"""What goes on on one client's connection? Requests are cut out of the stream, answered in order, one after the other.

A delay (MICS, MILS) holds up the requests behind it on the same connection and nothing else. Reports for a client that
doesn't read are dropped once its backlog is full, which shows as a gap in the sequence numbers; pigpiod would stall
every client's reports instead.
"""

from __future__ import annotations

import selectors
import socket
import struct
from typing import Final

from appliance.realtime.twin.assembler import PARAMETERS
from appliance.realtime.twin.daemon import Daemon
from appliance.realtime.twin.machine import delay_us
from appliance.realtime.twin.protocol import EXTENSION_LIMIT_BYTES, REQUEST, U32, Command

_RECEIVE_BYTES: Final = 1 << 14
#: Nothing more is read from a client that has so much unhandled or unread.
_BACKLOG_BYTES: Final = 1 << 18
_REPORTS_BACKLOG_BYTES: Final = 1 << 18
#: What the kernel may hold of it on top; its own choice is megabytes, which is many seconds of old reports.
_SEND_BUFFER_BYTES: Final = 1 << 18
_STATUS: Final = struct.Struct(f"<{1 + PARAMETERS}i")
_DELAYS: Final = frozenset({int(Command.MICS), int(Command.MILS)})
_OF_CONNECTION: Final = _DELAYS | {int(Command.NOIB), int(Command.PROCP)}
#: Requests in a row; a client that floods holds the others up for a millisecond at most.
_BURST: Final = 256


class Connection:
    """One client. `number` names it towards the daemon and is never used twice."""

    def __init__(self, peer: socket.socket, number: int, daemon: Daemon) -> None:
        peer.setblocking(False)
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self.socket = peer
        self.number = number
        self.closed = False
        self.awaited_events = selectors.EVENT_READ
        self.held_until_us: int | None = None
        self._daemon = daemon
        self._inbox = bytearray()
        self._outbox = bytearray()
        self._held_reply = b""

    @property
    def wanted_events(self) -> int:
        """What to wait for: for writing while replies or reports wait, for reading unless the client outruns us."""
        if not self._outbox:
            return selectors.EVENT_READ if len(self._inbox) < _BACKLOG_BYTES else 0
        if len(self._inbox) < _BACKLOG_BYTES and len(self._outbox) < _BACKLOG_BYTES:
            return selectors.EVENT_READ | selectors.EVENT_WRITE
        return selectors.EVENT_WRITE

    def receive(self, now_us: int) -> None:
        """Read what is there, carry it out, answer."""
        try:
            data = self.socket.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return
        self._inbox += data
        if self.held_until_us is None:
            self._answer(now_us)

    def release(self, now_us: int) -> None:
        """The delay is over: its reply goes out, and the requests behind it follow."""
        self.held_until_us = None
        self._outbox += self._held_reply
        self._answer(now_us)

    def report(self, data: bytes) -> None:
        """Send reports, whole or not at all."""
        if len(self._outbox) + len(data) <= _REPORTS_BACKLOG_BYTES:
            self._outbox += data
            self.flush()

    def flush(self) -> None:
        """Send as much as the client takes now."""
        if not self._outbox:
            return
        try:
            sent = self.socket.send(self._outbox)
        except BlockingIOError:
            return
        except OSError:
            self.closed = True
            return
        del self._outbox[:sent]

    def _answer(self, now_us: int) -> None:
        inbox, at, left = self._inbox, 0, _BURST
        while len(inbox) - at >= REQUEST.size and self.held_until_us is None:
            command, p1, p2, length = REQUEST.unpack_from(inbox, at)
            if length >= EXTENSION_LIMIT_BYTES:
                self.closed = True
                break
            start = at + REQUEST.size
            at_next = start + length
            if len(inbox) < at_next:
                break
            extension = bytes(inbox[start:at_next]) if length else b""
            at, left = at_next, left - 1
            if command in _OF_CONNECTION:
                self._special(now_us, command, p1, p2)
            else:
                result = self._daemon.execute(now_us, command, p1, p2, extension)
                self._outbox += REQUEST.pack(command, p1, p2, result & U32)
            if not left and self.held_until_us is None:
                self._hold(now_us, b"")  # let others have their turn
        del inbox[:at]
        self.flush()

    def _special(self, now_us: int, command: int, p1: int, p2: int) -> None:
        """Commands whose effect or answer belongs to the connection."""
        tail = b""
        if command == Command.NOIB:
            self._daemon.world.advance(now_us)
            result = self._daemon.notifications.open(now_us, self.number)
        elif command == Command.PROCP:
            result, parameters = self._daemon.scripts.status(p1)
            if result >= 0:
                tail = _STATUS.pack(result, *parameters)
                result = len(tail)
        else:
            sleep_us = delay_us(command, p1)
            result = min(sleep_us, 0)
        reply = REQUEST.pack(command, p1, p2, result & U32) + tail
        if command in _DELAYS and result == 0:
            self._hold(now_us + sleep_us, reply)
        else:
            self._outbox += reply

    def _hold(self, until_us: int, reply: bytes) -> None:
        self.held_until_us, self._held_reply = until_us, reply
