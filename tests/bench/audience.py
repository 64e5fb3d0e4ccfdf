"""Many viewers of one event stream, in a process of their own: `python -m tests.bench.audience PORT VIEWERS SECONDS FILE`.

Prints one line when all are connected, and at the end what they saw as JSON; FILE holds what the first one received, and when.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from pathlib import Path
from typing import Final

import msgspec

REQUEST: Final = b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
#: Not judged at begin and end: some have heard an event by then, and others not yet.
MARGIN_S: Final = 0.3


class Seen(msgspec.Struct, frozen=True):
    """events: different ones that were sent in the time that is judged. dropped: those that a viewer lacks, summed."""

    events: int
    dropped: int
    ended: int


class Piece(msgspec.Struct, frozen=True):
    """What was received at once, s after the begin."""

    t_s: float
    content: bytes


class Viewer:
    """One connection; `pieces` are the HTTP chunks that came, without their frames."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.sendall(REQUEST)
        self._rest = b""
        while b"\r\n\r\n" not in self._rest:
            self._rest += self.socket.recv(65536)
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        assert b" 200 " in head, head
        assert b"chunked" in head, head
        self.socket.setblocking(False)
        self.seen: set[int] = set()
        self.ended = False

    def receive(self) -> list[bytes]:
        """What has come since the last call."""
        data = self.socket.recv(1 << 20)
        self.ended = not data
        self._rest += data
        pieces = []
        while (at := self._rest.find(b"\r\n")) >= 0:
            end = at + 2 + int(self._rest[:at], 16)
            if len(self._rest) < end + 2:
                break
            pieces.append(self._rest[at + 2 : end])
            self._rest = self._rest[end + 2 :]
        return pieces


def listen(port: int, count: int, seconds: float) -> tuple[Seen, list[Piece]]:
    """Let `count` viewers listen for so long."""
    viewers = [Viewer(port) for _ in range(count)]
    print("connected", flush=True)
    selector = selectors.DefaultSelector()
    for viewer in viewers:
        selector.register(viewer.socket, selectors.EVENT_READ, viewer)
    start_s = time.monotonic()
    first_s: dict[int, float] = {}
    recording: list[Piece] = []
    while (now_s := time.monotonic() - start_s) < seconds:
        for key, _ in selector.select(0.1):
            viewer: Viewer = key.data
            pieces = viewer.receive()
            if viewer.ended:
                selector.unregister(viewer.socket)
            if viewer is viewers[0]:
                recording += [Piece(now_s, piece) for piece in pieces]
            for event in b"".join(pieces).split(b"\n\n"):
                viewer.seen.add(hash(event))
                first_s.setdefault(hash(event), now_s)
    judged = {event for event, t_s in first_s.items() if MARGIN_S < t_s < seconds - 2 * MARGIN_S}
    dropped = sum(len(judged - viewer.seen) for viewer in viewers)
    return Seen(len(judged), dropped, sum(viewer.ended for viewer in viewers)), recording


def main() -> None:
    """Listen, and tell."""
    seen, recording = listen(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
    Path(sys.argv[4]).write_bytes(msgspec.msgpack.encode(recording))
    print(json.dumps(msgspec.to_builtins(seen)))


if __name__ == "__main__":
    main()
