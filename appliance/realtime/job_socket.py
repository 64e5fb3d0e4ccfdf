"""How does a job reach the gateway? The Unix socket of one session, with strangers on its other end.

Nothing that they do costs more than a fixed amount: at most `MAX_CONNECTIONS`, of which the oldest that doesn't drive makes
room; a second to say what ZeroMQ says first; a few kB for each; reads and messages are paced by one token bucket, so a
flood waits in the sender's own socket; and a connection that doesn't read its answers ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from appliance.realtime import zmtp
from appliance.realtime.pacing import TokenBucket

MAX_CONNECTIONS: Final = 8
HANDSHAKE_S: Final = 1.0
_BACKLOG: Final = 4
_READ_BYTES: Final = 256
_ACCEPTS_HZ: Final = 50.0
_LONGEST_PATH: Final = 107
_SEND_BUFFER_BYTES: Final = 32 * 1024
_BREATH_S: Final = 0.002  # a paused connection waits at least this, so that a flood wakes us seldom

_log = logging.getLogger(__name__)


@dataclass
class _Peer:
    number: int
    socket: socket.socket
    zmtp: zmtp.Connection = field(default_factory=zmtp.Connection)


class JobSocket:
    """A listening socket and its connections, on the running event loop.

    `receive(peer, message)` hears every message, `gone(peer)` every ended connection, `is_kept(peer)` says which connection
    must not make room for others. `max_messages_hz` is for all connections together.
    """

    def __init__(
        self, path: Path, gid: int, max_messages_hz: float, receive: Callable[[int, bytes], None],
        gone: Callable[[int], None], is_kept: Callable[[int], bool],
    ) -> None:  # fmt: skip
        """Bind and listen. Raises OSError."""
        self._path = path
        self._receive, self._gone, self._is_kept = receive, gone, is_kept
        self._loop = asyncio.get_running_loop()
        now_s = self._loop.time()
        # A polite message costs two tokens: one to read, one to handle.
        self._tokens = TokenBucket(2.0 * max_messages_hz, max_messages_hz / 5.0, now_s)
        self._accepts = TokenBucket(_ACCEPTS_HZ, _ACCEPTS_HZ, now_s)
        self._peers: dict[int, _Peer] = {}
        self._waiting: OrderedDict[int, None] = OrderedDict()
        self._wake: asyncio.TimerHandle | None = None
        self._accept_wake: asyncio.TimerHandle | None = None
        self._next_number = 0
        self._listener = _listen(path, gid)
        self._loop.add_reader(self._listener, self._accept)

    def send(self, number: int, message: bytes) -> None:
        """Send to a connection, if it is still there; one that doesn't read is ended."""
        peer = self._peers.get(number)
        if peer is not None and peer.zmtp.is_ready:
            self._write(peer, zmtp.frame(message))

    def close(self) -> None:
        """End all connections and remove the socket."""
        self._loop.remove_reader(self._listener)
        self._listener.close()
        self._path.unlink(missing_ok=True)
        for timer in (self._wake, self._accept_wake):
            if timer is not None:
                timer.cancel()
        for peer in list(self._peers.values()):
            self._drop(peer)

    def _accept(self) -> None:
        now_s = self._loop.time()
        if not self._accepts.take(now_s):
            self._loop.remove_reader(self._listener)
            self._accept_wake = self._loop.call_later(self._accepts.wait_s(now_s), self._listen_again)
            return
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # it has gone already
        if len(self._peers) >= MAX_CONNECTIONS:
            self._drop(next(peer for peer in self._peers.values() if not self._is_kept(peer.number)))
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        self._next_number += 1
        peer = _Peer(self._next_number, connection)
        self._peers[peer.number] = peer
        self._loop.add_reader(connection, self._readable, peer)
        self._loop.call_later(HANDSHAKE_S, self._expect_ready, peer)
        self._write(peer, zmtp.GREETING)

    def _listen_again(self) -> None:
        self._loop.add_reader(self._listener, self._accept)

    def _expect_ready(self, peer: _Peer) -> None:
        if not peer.zmtp.is_ready:
            self._drop(peer)

    def _readable(self, peer: _Peer) -> None:
        if not self._tokens.take(self._loop.time()):
            self._pause(peer)
            return
        try:
            data = peer.socket.recv(min(_READ_BYTES, peer.zmtp.room_bytes))
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._drop(peer)
            return
        try:
            peer.zmtp.feed(data)
        except zmtp.ProtocolError:
            self._drop(peer)
            return
        self._handle_messages(peer)

    def _handle_messages(self, peer: _Peer) -> None:
        while peer.number in self._peers:
            if self._tokens.wait_s(self._loop.time()) > 0.0:
                self._pause(peer)
                return
            try:
                message, reply = peer.zmtp.next_message()
            except zmtp.ProtocolError as error:
                _log.info("connection %d of the job ended: %s", peer.number, error)
                self._drop(peer)
                return
            if reply:
                self._write(peer, reply)
            if message is None:
                return
            self._tokens.take(self._loop.time())
            self._receive(peer.number, message)

    def _pause(self, peer: _Peer) -> None:
        """Leave what it sends in its own socket until there are tokens; those who wait are served in turn."""
        self._loop.remove_reader(peer.socket)
        self._waiting[peer.number] = None
        if self._wake is None:
            wait_s = max(_BREATH_S, self._tokens.wait_s(self._loop.time()))
            self._wake = self._loop.call_later(wait_s, self._resume)

    def _resume(self) -> None:
        self._wake = None
        waiting, self._waiting = self._waiting, OrderedDict()
        for number in waiting:
            peer = self._peers.get(number)
            if peer is None:
                continue
            self._loop.add_reader(peer.socket, self._readable, peer)
            self._handle_messages(peer)

    def _write(self, peer: _Peer, data: bytes) -> None:
        try:
            whole = peer.socket.send(data) == len(data)
        except OSError:
            whole = False
        if not whole:
            self._drop(peer)

    def _drop(self, peer: _Peer) -> None:
        if self._peers.pop(peer.number, None) is None:
            return
        self._waiting.pop(peer.number, None)
        self._loop.remove_reader(peer.socket)
        peer.socket.close()
        self._gone(peer.number)


def _listen(path: Path, gid: int) -> socket.socket:
    """A listening socket for the job's group alone. Raises OSError."""
    if len(os.fsencode(path)) > _LONGEST_PATH:
        raise OSError(f"the socket's path is longer than {_LONGEST_PATH} characters: {path}")
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.setblocking(False)
        listener.bind(os.fspath(path))
        os.chown(path, -1, gid)
        path.chmod(0o660)
        listener.listen(_BACKLOG)  # nobody could connect before
    except OSError:
        listener.close()
        raise
    return listener
