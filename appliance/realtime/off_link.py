"""How does the guard switch the motor off within its event loop? Its own connection to pigpiod, always open.

`fire()` sends one round of OFF at once and waits for nothing; `switch_off()` repeats it and returns when it is verified.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections import deque
from collections.abc import Iterable
from typing import Final

from appliance.realtime.pins_off import INTERVAL_S, REPEAT_S, Link, OffRound

_RECONNECT_S: Final = 0.1
_CONNECT_TIMEOUT_S: Final = 1.0
#: pigpiod hangs when this many rounds have no reply; the connection is made anew.
_MOST_ROUNDS_IN_THE_AIR: Final = 40

_log = logging.getLogger(__name__)


class OffLink:
    """A connection that only says OFF. `run()` keeps it open; everything happens on the running event loop."""

    def __init__(self, link: Link, pins: Iterable[int]) -> None:
        self._link = link
        self._off = OffRound(pins)
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None
        self._closed = asyncio.Event()
        self._sent_s: deque[float] = deque()  # when each round in the air was sent
        self._reply = bytearray()
        self._wanted_s = float("-inf")  # when OFF was last asked for
        self._verified_s = float("-inf")  # when the newest round that read back as off was sent

    @property
    def is_connected(self) -> bool:
        """Whether pigpiod can be told anything."""
        return self._socket is not None

    async def run(self) -> None:
        """Keep the connection open until cancelled."""
        complained = False
        while True:
            connection = await self._connect()
            if connection is None:
                if not complained:
                    _log.warning("pigpiod can't be reached at %s; trying on", self._link)
                complained = True
                await asyncio.sleep(_RECONNECT_S)
                continue
            complained = False
            self._attach(connection)
            try:
                await self._closed.wait()
            finally:
                self._detach()

    def fire(self) -> None:
        """Send one round of OFF now, if there is a connection; a `switch_off()` under way lasts the longer for it."""
        self._wanted_s = self._loop.time()
        self._send()

    def _send(self) -> None:
        if self._socket is None:
            return
        try:
            whole = self._socket.send(self._off.request) == self._off.reply_bytes
        except OSError:
            whole = False
        self._sent_s.append(self._loop.time())
        if not whole or len(self._sent_s) > _MOST_ROUNDS_IN_THE_AIR:
            self._closed.set()

    async def switch_off(self, give_up_s: float) -> bool:
        """Repeat OFF for REPEAT_S and until it reads back; False when it didn't within `give_up_s`."""
        self.fire()
        while self._loop.time() < self._wanted_s + give_up_s:
            await asyncio.sleep(INTERVAL_S)
            if self._verified_s >= self._wanted_s + REPEAT_S:
                return True
            self._send()
        return False

    async def _connect(self) -> socket.socket | None:
        family = socket.AF_INET6 if ":" in self._link.host else socket.AF_INET
        connection = socket.socket(family, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            address = (self._link.host, self._link.port)
            await asyncio.wait_for(self._loop.sock_connect(connection, address), _CONNECT_TIMEOUT_S)
        except (OSError, TimeoutError):
            connection.close()
            return None
        except asyncio.CancelledError:
            connection.close()
            raise
        return connection

    def _attach(self, connection: socket.socket) -> None:
        self._socket = connection
        self._closed.clear()
        self._sent_s.clear()
        self._reply.clear()
        self._loop.add_reader(connection, self._receive)

    def _detach(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def _receive(self) -> None:
        if self._socket is None:
            return
        data = b""
        with contextlib.suppress(OSError):
            data = self._socket.recv(4096)
        if not data:
            self._loop.remove_reader(self._socket)
            self._closed.set()
            return
        self._reply += data
        size = self._off.reply_bytes
        while len(self._reply) >= size and self._sent_s:
            sent_s = self._sent_s.popleft()
            if self._off.is_off(bytes(self._reply[:size])):
                self._verified_s = sent_s
            del self._reply[:size]
