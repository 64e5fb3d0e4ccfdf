"""How does the guard hear requests, whoever sends them? Three Unix sockets, one for each right, lines of JSON.

A client can be slow, silent, flooding or mad; it costs a few kB and is served in its turn. Where a right has too many
connections, the process that holds most of them loses its quietest one, so nobody is kept out by somebody else.
"""

from __future__ import annotations

import asyncio
import errno
import grp
import logging
import os
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from appliance.realtime.control import MAX_LINE_BYTES, RIGHTS, UNREADABLE, Reply, Request, decode_request

MAX_CONNECTIONS: Final = 32
_BACKLOG: Final = 16
_MOST_UNREAD_BYTES: Final = 32 * 1024
_CREDENTIALS: Final = struct.Struct("3i")

Handler = Callable[[Request], Awaitable[Reply]]

_encode: Final = msgspec.json.Encoder().encode
_LONGEST_PATH: Final = 107

_log = logging.getLogger(__name__)


class ControlServer:
    """The control sockets of one guard, on the running event loop. `handle` answers every request that its right allows."""

    def __init__(self, path_of: Callable[[str], Path], handle: Handler, refusal: Callable[[str], Reply]) -> None:
        """`refusal(error)` makes the reply to what never becomes a request."""
        self._path_of, self._handle, self._refusal = path_of, handle, refusal
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Make the sockets, `stop` first. Raises OSError."""
        loop = asyncio.get_running_loop()
        too_long = _encode(self._refusal(f"A request is one line of at most {MAX_LINE_BYTES} bytes."))
        for right in RIGHTS:
            connections: list[_Connection] = []
            listener = _listen(self._path_of(right), f"raas-{right}")

            def connected(right: str = right, connections: list[_Connection] = connections) -> _Connection:
                return _Connection(right, connections, self._answer, too_long)

            self._servers.append(await loop.create_unix_server(connected, sock=listener, backlog=_BACKLOG))

    def close(self) -> None:
        """Remove the sockets."""
        for server in self._servers:
            server.close()
        for right in RIGHTS:
            self._path_of(right).unlink(missing_ok=True)

    def _answer(self, connection: _Connection, line: bytes) -> None:
        """Begin to answer; requests run beside each other, those of one connection one after the other."""
        task = asyncio.get_running_loop().create_task(self._answer_line(connection, line))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer_line(self, connection: _Connection, line: bytes) -> None:
        try:
            request = decode_request(line)
        except UNREADABLE as error:
            connection.reply(_encode(self._refusal(f"Not a request: {error}. One JSON object a line is expected.")))
            return
        if type(request) not in RIGHTS[connection.right]:
            kind = type(request).__name__.lower()
            connection.reply(_encode(self._refusal(f"{kind} isn't allowed on the socket for {connection.right!r}.")))
            return
        try:
            reply = await self._handle(request)
        except Exception:  # noqa: BLE001 - the edge of the process: others must still be heard
            _log.exception("%r failed", request)
            reply = self._refusal("The guard failed at this request; its log says how.")
        connection.reply(_encode(reply))


class _Connection(asyncio.BufferedProtocol):
    """One client: at most one line is kept and one request is under way."""

    def __init__(
        self, right: str, others: list[_Connection], answer: Callable[[_Connection, bytes], None], too_long: bytes
    ) -> None:
        self.right = right
        self.process = 0
        self.heard_s = 0.0
        self._others, self._answer, self._too_long = others, answer, too_long
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray(MAX_LINE_BYTES)
        self._filled = 0
        self._busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come; another one may have to go."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        credentials = transport.get_extra_info("socket").getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size
        )
        self.process = _CREDENTIALS.unpack(credentials)[0]
        self.heard_s = asyncio.get_running_loop().time()
        self._others.append(self)
        if len(self._others) > MAX_CONNECTIONS:
            held = Counter(each.process for each in self._others)
            max(self._others, key=lambda each: (held[each.process], -each.heard_s)).end()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Where the next bytes go."""
        return memoryview(self._buffer)[self._filled :]

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have come."""
        self._filled += nbytes
        self.heard_s = asyncio.get_running_loop().time()
        self._next_line()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """The client has gone."""
        self._transport = None
        if self in self._others:
            self._others.remove(self)

    def reply(self, line: bytes) -> None:
        """Answer the request under way, then look at the next."""
        self._busy = False
        if self._transport is None:
            return
        self._transport.write(line + b"\n")
        if self._transport.get_write_buffer_size() > _MOST_UNREAD_BYTES:
            self.end()
            return
        asyncio.get_running_loop().call_soon(self._next_line)

    def end(self) -> None:
        """End the connection now."""
        if self in self._others:
            self._others.remove(self)
        if self._transport is not None:
            self._transport.abort()

    def _refuse_length(self) -> None:
        if self._transport is not None:
            self._transport.write(self._too_long + b"\n")
            self._transport.close()

    def _next_line(self) -> None:
        if self._transport is None or self._busy:
            return
        line_end = self._buffer.find(b"\n", 0, self._filled)
        if line_end < 0:
            if self._filled == len(self._buffer):
                self._refuse_length()
            elif not self._transport.is_closing():
                self._transport.resume_reading()
            return
        line = bytes(self._buffer[:line_end])
        rest = self._filled - line_end - 1
        self._buffer[:rest] = self._buffer[line_end + 1 : self._filled]
        self._filled = rest
        self._busy = True
        self._transport.pause_reading()
        self._answer(self, line)


def _listen(path: Path, group: str) -> socket.socket:
    """A listening socket, 0660, of the group where there is one by that name. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o117)
    try:
        if len(os.fsencode(path)) > _LONGEST_PATH:
            raise OSError(
                errno.ENAMETOOLONG, f"a socket's path has at most {_LONGEST_PATH} characters", os.fspath(path)
            )
        listener.bind(os.fspath(path))
        _give_to_group(path, group)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(mask)
    return listener


def _give_to_group(path: Path, group: str) -> None:
    try:
        os.chown(path, -1, grp.getgrnam(group).gr_gid)
    except KeyError:
        pass  # a machine without the appliance's groups: the user alone
    except PermissionError:
        _log.warning("%s can't be given to group %s; only this user can use it", path, group)
