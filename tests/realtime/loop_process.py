"""A twin and a motor loop as real processes, and the two ends that guard and gateway would hold."""

from __future__ import annotations

import contextlib
import itertools
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from appliance.paths import Paths
from appliance.realtime import messages
from appliance.realtime.messages import Command, CommandKind, DriverRequest, Notice, NoticeKind
from appliance.realtime.telemetry import LiveRecord, LiveRing, Segment, SegmentSize
from gym_raas import wire
from gym_raas.wire import Kind
from tests.patience import PATIENCE_S, eventually


@dataclass
class LoopProcess:
    """The loop, seen from guard and gateway."""

    paths: Paths
    process: subprocess.Popen[bytes]
    guard: socket.socket
    gateway: socket.socket
    session: int = 0
    notices: list[Notice] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _seqs: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def live(self) -> LiveRecord | None:
        if not self.paths.live_ring.exists():
            return None
        ring = LiveRing(self.paths.live_ring)
        newest = ring.newest()
        ring.close()
        return newest[1] if newest else None

    def wait_until(self, condition: Callable[[LiveRecord], bool], what: str) -> LiveRecord:
        def look() -> LiveRecord | None:
            live = self.live()
            return live if live is not None and condition(live) else None

        return eventually(look, what=what)

    def tell(self, kind: CommandKind, value: float = 0.0) -> int:
        number = next(self._numbers)
        self.guard.send(messages.pack_command(Command(number, kind, self.session, value)))
        return number

    def ask(self, kind: CommandKind, value: float = 0.0) -> Notice:
        number = self.tell(kind, value)
        self.guard.settimeout(PATIENCE_S)
        while True:
            notice = messages.unpack_notice(self.guard.recv(messages.MAX_DATAGRAM_BYTES))
            if notice.number == number:
                return notice
            self.notices.append(notice)

    def arm(self, limit_s: float = 60.0, rate_hz: int = 1000) -> Notice:
        self.session = secrets.randbits(63)
        Segment.create(self.paths.segment(self.session), self.session, SegmentSize.for_limit(limit_s, rate_hz, 0.05))
        return self.ask(CommandKind.ARM, limit_s)

    def request(self, kind: Kind, action: float = 0.0, mode: int = 0, driver: int = 1) -> wire.Reply:
        seq = next(self._seqs)
        self.gateway.send(messages.pack_request(DriverRequest(self.session, driver, kind, mode, seq, action)))
        self.gateway.settimeout(PATIENCE_S)
        while True:
            reply = wire.parse_reply(messages.unpack_reply(self.gateway.recv(messages.MAX_DATAGRAM_BYTES)).payload)
            assert not isinstance(reply, wire.Welcome)
            if reply.seq == seq:
                return reply

    def step(self, action: float) -> wire.Sample:
        self.tell(CommandKind.LEASE)
        reply = self.request(Kind.ACTION, action)
        assert isinstance(reply, wire.Sample), reply
        return reply


@contextlib.contextmanager
def running_twin(folder: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    port_file = folder / "port"
    command = [sys.executable, "-m", "appliance.realtime.twin", "--port", "0", "--port-file", str(port_file), *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        eventually(port_file.exists, what="the twin's port")
        yield process, int(port_file.read_text())
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


@contextlib.contextmanager
def running_loop(folder: Path, port: int, config: str = "") -> Iterator[LoopProcess]:
    paths = Paths.of(folder / "data", folder / "run")
    config_file = folder / "raas.yaml"
    config_file.write_text(config or "realtime: {lease_s: 10.0, dead_man_s: 1.0}\n")
    guard, guard_child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    gateway, gateway_child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(
        [
            sys.executable, "-m", "appliance.realtime.loop", "--data", str(paths.data), "--config", str(config_file),
            "--runtime-root", str(folder / "run"), "--link", f"127.0.0.1:{port}",
            "--gateway-fd", str(gateway_child.fileno()), "--guard-fd", str(guard_child.fileno()),
        ],
        pass_fds=[gateway_child.fileno(), guard_child.fileno()],
    )  # fmt: skip
    loop = LoopProcess(paths, process, guard, gateway)
    try:
        notice = messages.unpack_notice(guard.recv(messages.MAX_DATAGRAM_BYTES))
        assert notice.kind == NoticeKind.READY
        yield loop
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
        for end in (guard, guard_child, gateway, gateway_child):
            end.close()
        shutil.rmtree(paths.shm, ignore_errors=True)
