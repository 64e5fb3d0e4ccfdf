"""A network that a test can cut, slow down or stop: a TCP relay in front of a server."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

_GRAIN_BYTES = 8192


class Gate:
    """Relays to `host:port`. While it is shut, connections end at once and none is taken.

    rate: bytes a second that all connections together may send to the server. allowance_bytes: how many they may send until
    the line goes dead without anybody noticing. sent_bytes: how many they have.
    """

    rate = float("inf")
    allowance_bytes = float("inf")

    def __init__(self, host: str, port: int) -> None:
        self._there = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)  # what waits, waits at the sender
        self._open = threading.Event()
        self._open.set()
        self._line = threading.Lock()
        self.sent_bytes = 0
        self._ends: set[socket.socket] = set()
        threading.Thread(target=self._accept, name="gate", daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def shut(self) -> None:
        self._open.clear()
        for end in list(self._ends):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def reopen(self) -> None:
        self._open.set()

    def close(self) -> None:
        self.shut()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                if not self._open.is_set():
                    near.close()
                    continue
                try:
                    far = socket.create_connection(self._there)
                except OSError:
                    near.close()
                    continue
                for source, sink, up in ((near, far, True), (far, near, False)):
                    self._ends.add(source)
                    threading.Thread(target=self._relay, args=(source, sink, up), daemon=True).start()

    def _wait(self, size_bytes: int) -> None:
        """Until this many bytes are through the line, which all share."""
        with self._line:
            time.sleep(size_bytes / self.rate)
        while self.sent_bytes + size_bytes > self.allowance_bytes:
            time.sleep(0.01)
        self.sent_bytes += size_bytes

    def _relay(self, source: socket.socket, sink: socket.socket, up: bool) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(_GRAIN_BYTES):
                if up:
                    self._wait(len(chunk))
                sink.sendall(chunk)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._ends.discard(source)
        source.close()


@contextmanager
def gate(url: str) -> Iterator[Gate]:
    parts = urlsplit(url)
    made = Gate(parts.hostname or "", parts.port or 80)
    try:
        yield made
    finally:
        made.close()
