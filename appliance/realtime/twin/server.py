"""How does the twin serve its clients in real time? One thread that waits for sockets or for the next millisecond.

Nothing runs ahead: the world is advanced when a command arrives, when a script is due, and every millisecond while the arm
moves or somebody must be told something. While the arm rests and nobody commands, the process sleeps.
"""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable
from typing import Final

from appliance.realtime.twin.connection import Connection
from appliance.realtime.twin.daemon import Daemon

_TICK_US: Final = 1000
_IDLE_TICK_US: Final = 50_000
_MAX_CONNECTIONS: Final = 100

#: What may be done to reports on their way: (connection, bytes) -> bytes. The seam for injected faults.
ReportFilter = Callable[[int, bytes], bytes]


def listen(port: int) -> socket.socket:
    """A listening socket on loopback only; port 0 takes a free one. Raises OSError."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


class Server:
    """Serves a daemon on a listening socket until told to stop.

    `clock_us` is monotonic. `served(now_us)` is called after every round: at the latest after `_IDLE_TICK_US`.
    """

    def __init__(
        self,
        daemon: Daemon,
        listener: socket.socket,
        clock_us: Callable[[], int],
        report_filter: ReportFilter = lambda _, data: data,
        served: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._daemon = daemon
        self._listener = listener
        self._clock_us = clock_us
        self._filter = report_filter
        self._served = served
        self._connections: dict[int, Connection] = {}
        self._held: list[Connection] = []
        self._next_number = 1
        self._stopping = False
        self._tick_due_us = self._due_us = clock_us()
        # select() takes its timeout in µs; epoll rounds it up to whole milliseconds.
        self._selector = selectors.SelectSelector()
        self._selector.register(listener, selectors.EVENT_READ, self._accept)
        self._wake_reader, self.waker = socket.socketpair()
        for end in (self._wake_reader, self.waker):
            end.setblocking(False)
        self._selector.register(self._wake_reader, selectors.EVENT_READ, self._woken)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def stop(self) -> None:
        """Let `serve` return; may be called by a signal handler or another thread."""
        self._stopping = True
        try:
            self.waker.send(b"\0")
        except BlockingIOError:
            pass  # it is full of wake-ups already

    def serve(self) -> None:
        """Serve until stopped."""
        while not self._stopping:
            self._once()

    def close(self) -> None:
        """Close all sockets."""
        for connection in list(self._connections.values()):
            self._drop(connection)
        self._selector.close()
        for end in (self._listener, self._wake_reader, self.waker):
            end.close()

    def _once(self) -> None:
        for key, mask in self._selector.select(max(self._due_us - self._clock_us(), 0) * 1e-6):
            key.data(mask)
        now_us = self._clock_us()
        if self._held:
            self._release(now_us)
        self._due_us = self._next_due_us()
        if now_us >= self._due_us:
            self._tick(now_us)
            self._due_us = self._next_due_us()
        self._served(now_us)

    def _release(self, now_us: int) -> None:
        for connection in [c for c in self._held if (c.held_until_us or 0) <= now_us]:
            self._held.remove(connection)
            connection.release(now_us)
            self._look_after(connection)

    def _next_due_us(self) -> int:
        """When there is something to do although no client sends anything."""
        due_us = self._tick_due_us if self._daemon.busy else self._tick_due_us + _IDLE_TICK_US
        for soon_us in (self._daemon.scripts.next_us, self._daemon.notifications.watchdog_us):
            if soon_us is not None and soon_us < due_us:
                due_us = soon_us
        for connection in self._held:
            due_us = min(due_us, connection.held_until_us or 0)
        return due_us

    def _tick(self, now_us: int) -> None:
        late_us = now_us - self._tick_due_us
        self._tick_due_us = self._tick_due_us + _TICK_US if 0 <= late_us < _TICK_US else now_us + _TICK_US
        for number, data in self._daemon.tick(now_us):
            connection = self._connections[number]
            connection.report(self._filter(number, data))
            self._look_after(connection)

    def _accept(self, _: int) -> None:
        try:
            peer, _address = self._listener.accept()
        except OSError:
            return  # the client has gone again, or this process has no descriptor left
        if len(self._connections) >= _MAX_CONNECTIONS:
            peer.close()
            return
        connection = Connection(peer, self._next_number, self._daemon)
        self._connections[connection.number] = connection
        self._next_number += 1
        self._selector.register(peer, selectors.EVENT_READ, self._serves(connection))

    def _serves(self, connection: Connection) -> Callable[[int], None]:
        def serve(mask: int) -> None:
            if mask & selectors.EVENT_WRITE:
                connection.flush()
            if mask & selectors.EVENT_READ:
                connection.receive(self._clock_us())
            self._look_after(connection)

        return serve

    def _look_after(self, connection: Connection) -> None:
        """Drop a closed connection; else wait for what this one needs now."""
        if connection.closed:
            self._drop(connection)
            return
        if connection.held_until_us is not None and connection not in self._held:
            self._held.append(connection)
        wanted = connection.wanted_events
        awaited, connection.awaited_events = connection.awaited_events, wanted
        if wanted == awaited:
            return
        if awaited:
            self._selector.unregister(connection.socket)
        if wanted:
            self._selector.register(connection.socket, wanted, self._serves(connection))

    def _drop(self, connection: Connection) -> None:
        if connection.awaited_events:
            self._selector.unregister(connection.socket)
        connection.socket.close()
        del self._connections[connection.number]
        if connection in self._held:
            self._held.remove(connection)
        self._daemon.disconnected(connection.number)

    def _woken(self, _: int) -> None:
        self._wake_reader.recv(4096)
