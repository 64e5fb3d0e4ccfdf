"""What can a build container ask for? The only door out of its empty network: a package index, read-only.

A small HTTP server on a Unix socket, which is mounted into the container. It knows two requests: the page of a project
and a wheel that stood on such a page. Where those come from, with which password and through which proxy, stays on this
side; nothing can be sent anywhere, and no other server be reached.
"""

from __future__ import annotations

import contextlib
import os
import re
import socketserver
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final

from appliance.layers import index_page
from appliance.layers.index_page import Wheel
from appliance.layers.upstream import Unavailable, Upstream

SOCKET: Final = "index.sock"
_PROJECT: Final = re.compile(r"/simple/([A-Za-z0-9][A-Za-z0-9._-]{0,100})/")
_FILE: Final = re.compile(r"/file/(\d{1,6})/[^/]{1,300}?(\.whl|\.whl\.metadata)")
_MAX_CONNECTIONS: Final = 8
_IDLE_S: Final = 120.0


class IndexDoor(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The server. `trouble` is the last thing that went wrong on this side; `left_bytes` may still be fetched."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, socket_path: Path, upstream: Upstream, max_bytes: int) -> None:
        self.trouble = ""
        self.left_bytes = max_bytes
        self.upstream = upstream
        self._wheels: list[Wheel] = []
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(_MAX_CONNECTIONS)
        super().__init__(str(socket_path), _Handler)

    def page(self, project: str) -> bytes:
        """Our page of a project. Raises Unavailable."""
        found = self.upstream.wheels(project)
        with self._lock:
            first = len(self._wheels)
            self._wheels += found
        return index_page.write(project, list(enumerate(found, first)))

    def wheel(self, number: int) -> Wheel | None:
        """A wheel that stood on one of our pages."""
        return self._wheels[number] if number < len(self._wheels) else None

    def spend(self, size_bytes: int) -> None:
        """Count what is handed in. Raises Unavailable when it is too much."""
        with self._lock:
            self.left_bytes -= size_bytes
        if self.left_bytes < 0:
            raise Unavailable("The packages are larger than what one job may have.")

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve in a thread, of which there are few."""
        self._places.acquire()
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve, and leave the place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """The other side is a stranger's: when it breaks off or sends nonsense, that is its own affair."""


class _Handler(BaseHTTPRequestHandler):
    server: IndexDoor
    timeout = _IDLE_S
    _begun = False

    def do_GET(self) -> None:
        """A page, a wheel, or its metadata."""
        try:
            if project := _PROJECT.fullmatch(self.path):
                self._answer(index_page.JSON, self.server.page(project[1]))
            elif file := _FILE.fullmatch(self.path):
                self._hand_in(self.server.wheel(int(file[1])), ".metadata" if file[2].endswith("metadata") else "")
            else:
                self.send_error(404)
        except Unavailable as why:
            self.server.trouble = str(why)
            if not self._begun:  # a file that breaks off in the middle is cut; pip sees that it is no wheel
                with contextlib.suppress(OSError):
                    self.send_error(502, "Bad Gateway")

    def _hand_in(self, wheel: Wheel | None, suffix: str) -> None:
        if wheel is None:
            self.send_error(404)
            return
        with self.server.upstream.open(wheel.url + suffix) as chunks:
            self._answer("application/octet-stream")
            for chunk in chunks:
                self.server.spend(len(chunk))
                self.wfile.write(chunk)

    def _answer(self, kind: str, content: bytes = b"") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self._begun = True
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nothing: a stranger's requests fill no log."""

    def address_string(self) -> str:
        """A Unix socket's other end has no address."""
        return "build"


def give(path: Path, uid: int) -> None:
    """Make `path` the property of `uid`, where it isn't ours already."""
    if uid != os.geteuid():
        os.chown(path, uid, uid)


@contextlib.contextmanager
def opened(folder: Path, uid: int, upstream: Upstream, max_bytes: int) -> Iterator[IndexDoor]:
    """The door, its socket in `folder`, for the user `uid` only; closed at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    path = folder / SOCKET
    path.unlink(missing_ok=True)
    with IndexDoor(path, upstream, max_bytes) as door:
        path.chmod(0o600)
        give(path, uid)
        thread = threading.Thread(target=door.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        thread.start()
        try:
            yield door
        finally:
            door.shutdown()
            path.unlink(missing_ok=True)
            upstream.close()
