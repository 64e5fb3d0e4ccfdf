"""A gateway as a process, with the ends of loop and guard in the test's hands."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket

from appliance.config import Config
from appliance.paths import Paths
from appliance.realtime import messages, orders
from appliance.realtime.channels import socket_pair
from appliance.realtime.messages import DriverReply, DriverRequest
from gym_raas import wire
from tests.realtime.guard_process import Job

_QUIET_S = 0.1


@dataclass
class GatewayProcess:
    """The gateway, seen from guard, loop and jobs."""

    paths: Paths
    process: subprocess.Popen[bytes]
    loop: socket
    guard: socket
    session: int = 0
    jobs: list[Job] = field(default_factory=list)
    job_gid: int = os.getgid() or 4242
    max_messages_hz: int = Config().realtime.max_messages_hz

    @property
    def is_alive(self) -> bool:
        return self.process.poll() is None

    @property
    def address(self) -> Path:
        return self.paths.session(self.session) / wire.SOCKET_NAME

    def tell(self, order: orders.Order) -> None:
        self.guard.send(orders.encode(order))

    def heard(self) -> orders.Answer:
        self.guard.settimeout(10.0)
        return orders.decode_answer(self.guard.recv(orders.MAX_ORDER_BYTES))

    def open(self) -> None:
        self.session = secrets.randbits(63)
        self.paths.session(self.session).mkdir(parents=True)
        self.tell(orders.Open(self.session, self.job_gid, 60.0))
        assert self.heard() == orders.Opened(self.session)

    def close(self) -> None:
        self.tell(orders.Close(self.session))
        assert self.heard() == orders.Closed(self.session)

    def end(self) -> None:
        for job in self.jobs:
            job.close()
        self.jobs.clear()
        self.close()
        self.requests_until_quiet()

    def job(self) -> Job:
        job = Job(f"ipc://{self.address}")
        self.jobs.append(job)
        return job

    def next_request(self) -> DriverRequest:
        self.loop.settimeout(10.0)
        return messages.unpack_request(self.loop.recv(messages.MAX_DATAGRAM_BYTES))

    def requests_until_quiet(self, until_s: float = 0.0) -> list[DriverRequest]:
        """All requests that the loop gets until `until_s`, and then until there are no more."""
        requests = []
        self.loop.settimeout(_QUIET_S)
        while True:
            try:
                requests.append(messages.unpack_request(self.loop.recv(messages.MAX_DATAGRAM_BYTES)))
            except TimeoutError:
                if time.monotonic() > until_s:
                    return requests

    def heard_nothing(self) -> bool:
        return not self.requests_until_quiet()

    def sample(self, seq: int) -> wire.Sample:
        return wire.Sample(seq, 1, 0, 50_000, 3, 3.1, 0.5, 0.001, 0.049, 0.0, 250.0, 0)

    def answer(self, request: DriverRequest) -> None:
        reply = DriverReply(request.session, request.driver, self.sample(request.seq).pack())
        self.loop.send(messages.pack_reply(reply))

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """A loop that answers every request at once."""
        done = threading.Event()

        def work() -> None:
            self.loop.settimeout(0.05)
            while not done.is_set():
                try:
                    self.answer(messages.unpack_request(self.loop.recv(messages.MAX_DATAGRAM_BYTES)))
                except TimeoutError:
                    pass

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def memory_kb(self) -> int:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE") // 1024

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running_gateway(folder: Path) -> Iterator[GatewayProcess]:
    # The runtime folder is short: a Unix socket's path has 107 characters.
    runtime_root = Path(f"/tmp/raas-{secrets.token_hex(3)}")
    paths = Paths.of(folder, runtime_root)
    (folder / "raas.yaml").touch()
    loop, gateway_loop = socket_pair()
    guard, gateway_guard = socket_pair()
    command = [
        sys.executable, "-m", "appliance.realtime.gateway", "--data", str(folder), "--config", str(folder / "raas.yaml"),
        "--runtime-root", str(runtime_root), "--loop-fd", str(gateway_loop.fileno()),
        "--guard-fd", str(gateway_guard.fileno()),
    ]  # fmt: skip
    process = subprocess.Popen(command, pass_fds=[gateway_loop.fileno(), gateway_guard.fileno()])
    gateway_guard.close()
    running = GatewayProcess(paths, process, loop, guard)
    try:
        assert running.heard() == orders.Ready()
        yield running
    finally:
        process.kill()
        process.wait()
        for end in (loop, gateway_loop, guard):
            end.close()
        subprocess.run(["rm", "-r", str(runtime_root)], check=False)
