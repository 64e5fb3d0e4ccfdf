"""The least that streams events on gevent: `python -m tests.bench.bare_stream FILE` sends a recording to whoever listens.

gevent's own WSGI server, one greenlet a viewer, one `Event` for all: no routes, no limits, no database, no robot. It prints
its port, and begins when a line comes on stdin.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import msgspec
from gevent.event import Event
from gevent.fileobject import FileObject
from gevent.pywsgi import WSGIServer

from tests.bench.audience import Piece


class Broadcast:
    """The newest piece, and who waits for it."""

    def __init__(self) -> None:
        self._newest, self._wake = b"", Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/event-stream")])
        yield b": hello\n\n"
        while True:
            self._wake.wait()
            yield self._newest

    def send(self, content: bytes) -> None:
        """Hand it to everybody."""
        self._newest = content
        wake, self._wake = self._wake, Event()
        wake.set()


def main() -> None:
    """Serve until ended."""
    recording = msgspec.msgpack.decode(Path(sys.argv[1]).read_bytes(), type=list[Piece])
    broadcast = Broadcast()
    server = WSGIServer(("127.0.0.1", 0), broadcast, log=None)
    server.start()
    print(server.server_port, flush=True)
    FileObject(sys.stdin.fileno()).readline()
    start_s = time.monotonic()
    for piece in recording:
        gevent.sleep(max(0.0, start_s + piece.t_s - time.monotonic()))
        broadcast.send(piece.content)
    server.serve_forever()


if __name__ == "__main__":
    main()
