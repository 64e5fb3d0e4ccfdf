"""What does it cost to show the robot to many, and who waits meanwhile?

The real web process on a stage whose pendulum swings; then a bare gevent server that sends the very same bytes at the same
moments to as many. CPU is what the kernel says of each process. Then the same once more while stops, resumes and API requests
are timed, each on a connection of its own; and again with 50 clients that send their headers one byte a second.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np

from tests.bench.audience import Seen
from tests.webui.conftest import set_stage
from tests.webui.http_calls import call
from tests.webui.stage import furnish

VIEWERS = 100
LORIS = 50
SECONDS = 60.0
READS = ("/api/robot", "/api/jobs", "/api/queue")
_PERIOD_S = 0.1


@dataclass(frozen=True)
class Part:
    """What the viewers saw, CPU as a share of a core, and how long stops and reads took (ms), where they were timed."""

    seen: Seen
    cpu: float
    stops_ms: list[float] = field(default_factory=list)
    reads_ms: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Show:
    """watched: viewers only. bare: the bare server. asked: with requests, too. besieged: and with slow-loris clients."""

    watched: Part
    bare: Part
    asked: Part
    besieged: Part

    @property
    def ratio(self) -> float:
        """Our CPU over that of the bare server."""
        return self.watched.cpu / self.bare.cpu

    @property
    def dropped(self) -> int:
        """Events that somebody lacks, and viewers whose stream ended."""
        return sum(part.seen.dropped + part.seen.ended for part in (self.watched, self.asked, self.besieged))


def p99(samples: list[float]) -> float:
    """The 99th percentile."""
    return float(np.percentile(samples, 99))


def measure(seconds: float = SECONDS, viewers: int = VIEWERS, loris: int = LORIS) -> Show:
    """All parts, one after the other."""
    with tempfile.TemporaryDirectory() as folder, set_stage() as stage:
        recording = Path(folder) / "recording"
        furnish(stage)
        with stage.serve() as web:
            watched = _watched(web.port, web.process.pid, viewers, seconds, recording)
            bare = _bare(viewers, seconds, recording)
            asked = _asked(web.port, web.process.pid, viewers, seconds)
            with _besieging(web.port, loris):
                besieged = _asked(web.port, web.process.pid, viewers, seconds)
    return Show(watched, bare, asked, besieged)


def _watched(port: int, pid: int, viewers: int, seconds: float, recording: Path) -> Part:
    with _audience(port, viewers, seconds, recording) as audience:
        before_s = _cpu_s(pid)
        time.sleep(seconds)
        return Part(cpu=(_cpu_s(pid) - before_s) / seconds, seen=_told(audience))


def _asked(port: int, pid: int, viewers: int, seconds: float) -> Part:
    stops = Prober(lambda number: _stop(port), lambda number: _resume(port))
    reads = Prober(lambda number: _read(port, READS[number % len(READS)]))
    part = _watched(port, pid, viewers, seconds, Path(os.devnull))
    return replace(part, stops_ms=stops.end(), reads_ms=reads.end())


def _bare(viewers: int, seconds: float, recording: Path) -> Part:
    command = [sys.executable, "-m", "tests.bench.bare_stream", str(recording)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        port = int(server.stdout.readline())
        try:
            with _audience(port, viewers, seconds, recording.with_name("bare")) as audience:
                before_s = _cpu_s(server.pid)
                server.stdin.write("go\n")
                server.stdin.flush()
                time.sleep(seconds)
                return Part(cpu=(_cpu_s(server.pid) - before_s) / seconds, seen=_told(audience))
        finally:
            server.kill()


@contextmanager
def _audience(port: int, viewers: int, seconds: float, recording: Path) -> Iterator[subprocess.Popen[str]]:
    """Viewers that are all connected."""
    command = [sys.executable, "-m", "tests.bench.audience", str(port), str(viewers), str(seconds), str(recording)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as audience:
        assert audience.stdout is not None
        assert audience.stdout.readline() == "connected\n"
        yield audience


def _told(audience: subprocess.Popen[str]) -> Seen:
    assert audience.stdout is not None
    return msgspec.json.decode(audience.stdout.read(), type=Seen)


@dataclass
class Prober:
    """Asks ten times a second on a thread, and notes how long it took, ms; what `tidy` takes isn't counted."""

    ask: Callable[[int], None]
    tidy: Callable[[int], None] = lambda number: None
    taken_ms: list[float] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._ended.wait(_PERIOD_S):
            started_s = time.monotonic()
            self.ask(number)
            self.taken_ms.append((time.monotonic() - started_s) * 1e3)
            self.tidy(number)
            number += 1

    def end(self) -> list[float]:
        """All figures."""
        self._ended.set()
        self._thread.join()
        return self.taken_ms


def _stop(port: int) -> None:
    assert call(port, "POST", "/api/robot/stop", b"{}").status == 200


def _resume(port: int) -> None:
    assert call(port, "POST", "/api/robot/resume", b"{}").status == 200


def _read(port: int, address: str) -> None:
    assert call(port, "GET", address).status == 200


@contextmanager
def _besieging(port: int, count: int) -> Iterator[None]:
    """So many clients whose headers never end; who is cut off comes again."""
    ended = threading.Event()
    siege = threading.Thread(target=_besiege, args=(port, count, ended), daemon=True)
    siege.start()
    try:
        yield
    finally:
        ended.set()
        siege.join()


def _besiege(port: int, count: int, ended: threading.Event) -> None:
    slow = [_begun(port) for _ in range(count)]
    while not ended.wait(1.0):
        for place, connection in enumerate(slow):
            try:
                connection.sendall(b"x")
            except OSError:
                connection.close()
                slow[place] = _begun(port)
    for connection in slow:
        connection.close()


def _begun(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    with contextlib.suppress(OSError):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    return connection


def _cpu_s(pid: int) -> float:
    """Processor time of a process with all of its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
