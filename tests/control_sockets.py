"""The control sockets of a guard that isn't there: real sockets and lines, each connection in a thread of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable

import msgspec

from appliance.paths import Paths
from appliance.realtime.control import RIGHTS, Reply, Request, decode_request


class ControlSockets:
    """Listens for `rights` and lets `answer` decide; its None is a guard that hangs."""

    def __init__(self, paths: Paths, answer: Callable[[Request], Reply | None], rights: Iterable[str] = RIGHTS) -> None:
        self._paths = {right: paths.control(right) for right in rights}
        self._answer = answer
        self._open: list[socket.socket] = []
        for right, path in self._paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(path))
            listener.listen(64)
            self._open.append(listener)
            threading.Thread(target=self._accept, args=(listener, right), daemon=True).start()

    def close(self) -> None:
        """Vanish, with all connections, as a killed process does."""
        for path in self._paths.values():
            path.unlink(missing_ok=True)
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self, listener: socket.socket, right: str) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection, right), daemon=True).start()

    def _serve(self, connection: socket.socket, right: str) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as lines:
            for line in lines:
                request = decode_request(line)
                assert isinstance(request, RIGHTS[right])
                reply = self._answer(request)
                if reply is not None:
                    connection.sendall(msgspec.json.encode(reply) + b"\n")
