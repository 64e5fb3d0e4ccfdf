"""A twin and a guard with its loop and gateway, all as real processes, and a job's and a runner's ends of them."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import zmq

from appliance.errors import RobotError
from appliance.paths import Paths
from appliance.realtime.control import Arm, Disarm, GuardClient, Lease, Reply, Request, Resume, Start, Status, Stop
from appliance.realtime.twin.pinlog import PinRecord, read
from gym_raas import wire
from tests.patience import eventually
from tests.realtime.loop_process import running_twin

#: Fast enough for tests, slow enough for a busy machine: a lease that tests needn't refresh all the time.
CONFIG = "realtime: {lease_s: 5.0, dead_man_s: 0.3}\n"


class Job:
    """A job's ZeroMQ socket, as gym_raas has it."""

    def __init__(self, address: str, client: int = 0) -> None:
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.connect(address)
        self.client = client or secrets.randbits(64)
        self._seqs = itertools.count(1)

    def send(self, data: bytes) -> None:
        self.socket.send(data)

    def receive(self, patience_s: float = 10.0) -> wire.Reply:
        assert self.socket.poll(int(patience_s * 1000)), "no answer"
        return wire.parse_reply(self.socket.recv())

    def hello(self) -> wire.Reply:
        self.send(wire.Hello(self.client).pack())
        return self.receive()

    def act(self, action: float) -> wire.Reply:
        self.send(wire.Action(next(self._seqs), action).pack())
        return self.receive()

    def read(self) -> wire.Reply:
        self.send(wire.Read(next(self._seqs)).pack())
        return self.receive()

    def bye(self) -> None:
        self.send(wire.Bye().pack())

    def close(self) -> None:
        self.socket.close()


@dataclass
class Rig:
    """The processes, and what the tests do with them."""

    folder: Path
    paths: Paths
    port: int
    twin: subprocess.Popen[bytes]
    guard: subprocess.Popen[bytes]
    jobs: list[Job] = field(default_factory=list)
    session: str = ""

    def ask(self, right: str, request: Request, timeout_s: float = 10.0) -> Reply:
        with GuardClient(self.paths.control(right), timeout_s) as client:
            return client.ask(request)

    def status(self) -> Reply:
        return self.ask("stop", Status())

    def stop(self) -> Reply:
        return self.ask("stop", Stop("a test", "to see it stop"))

    def resume(self) -> Reply:
        return self.ask("resume", Resume("a test"))

    def arm(self, limit_s: float = 60.0) -> Reply:
        self.session = secrets.token_hex(8)
        return self.ask("runner", Arm(self.session, "JOB", limit_s, os.getgid()))

    def start(self) -> Reply:
        return self.ask("runner", Start(self.session))

    def lease(self) -> Reply:
        return self.ask("runner", Lease(self.session))

    def disarm(self) -> Reply:
        return self.ask("runner", Disarm(self.session))

    def job(self, client: int = 0) -> Job:
        job = Job(f"ipc://{self.paths.session(int(self.session, 16)) / wire.SOCKET_NAME}", client)
        self.jobs.append(job)
        return job

    def driving(self, action: float = 1.5) -> Job:
        """A session in which the motor runs; tried again where a busy machine lost the link meanwhile."""
        said: list[object] = []

        def drives() -> bool:
            self.wait_ready()
            said[:] = [self.arm(), self.start()]
            if all(isinstance(reply, Reply) and reply.ok for reply in said):
                job = self.job()
                said.append(job.hello())
                said.append(job.act(action))
                if isinstance(said[-1], wire.Sample):
                    return True
            self.disarm()
            return False

        eventually(drives, what="a driven robot", then=lambda: f"{said}\n{self.log()[-2000:]}")
        return self.jobs[-1]

    def wait_ready(self) -> None:
        """Until the robot is idle and everything runs."""
        seen: list[Reply] = []

        def ready() -> bool:
            status = self.status()
            seen[:] = [status]
            if status.state == "fault":
                self.resume()  # a link that was slow for a moment on a busy machine is another test's matter
            return status.loop_alive and status.gateway_alive and status.state == "disarmed" and self.arm_is_possible()

        eventually(ready, what="an idle robot", then=lambda: f"{seen}\n{self.log()[-2000:]}")

    def arm_is_possible(self) -> bool:
        """Whether an arm succeeds; it is taken back at once."""
        return self.arm().ok and self.disarm().ok

    def wait_status(self, wanted: str, **fields: object) -> Reply:

        def look() -> Reply | None:
            reply = self.status()
            return reply if all(getattr(reply, name) == value for name, value in fields.items()) else None

        return eventually(look, what=wanted)

    def child(self, name: str) -> int:
        """Process id of the guard's child that runs the module of that name; 0 if there is none."""
        for pid in Path(f"/proc/{self.guard.pid}/task/{self.guard.pid}/children").read_text().split():
            with contextlib.suppress(OSError):
                if f"appliance.realtime.{name}".encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return int(pid)
        return 0

    def log(self) -> str:
        return (self.folder / "guard.log").read_text()

    def pins(self) -> list[PinRecord]:
        return list(read(self.folder / "pins"))

    def off_after_ms(self, since_ns: int) -> float:
        """How long after `since_ns` both pins, one of which was driven then, went off; they have stayed off until now."""

        def is_off() -> bool:
            pins = self.pins()  # the log is written late, so what it shows may be older than `since_ns`
            return bool(pins) and pins[-1].t_ns >= since_ns and pins[-1].forward == pins[-1].backward == 0.0

        eventually(is_off, what="the motor's pins to go off")
        time.sleep(0.1)  # time for something to go wrong, and for the log to show it
        pins = self.pins()
        driven = [pin for pin in pins if pin.forward or pin.backward]
        assert pins[-1] != driven[-1], "the motor went on again"
        return max(0.0, (pins[pins.index(driven[-1]) + 1].t_ns - since_ns) / 1e6)


def answers(paths: Paths) -> bool:
    """Whether a guard listens on its last socket."""
    try:
        GuardClient(paths.control("runner")).close()
    except RobotError:
        return False
    return True


@contextlib.contextmanager
def running_guard(folder: Path, port: int, config: str = CONFIG) -> Iterator[tuple[subprocess.Popen[bytes], Paths]]:
    runtime_root = _runtime_root(folder)
    paths = Paths.of(folder / "data", runtime_root)
    config_file = folder / "raas.yaml"
    config_file.write_text(config)
    command = [
        sys.executable, "-m", "appliance.realtime.guard", "--data", str(paths.data), "--config", str(config_file),
        "--runtime-root", str(runtime_root), "--link", f"127.0.0.1:{port}",
    ]  # fmt: skip
    with (folder / "guard.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        eventually(lambda: answers(paths) or process.poll() is not None, what="the guard")
        assert process.poll() is None, (folder / "guard.log").read_text()[-2000:]
        yield process, paths
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        shutil.rmtree(paths.shm, ignore_errors=True)
        shutil.rmtree(runtime_root, ignore_errors=True)


def _runtime_root(folder: Path) -> Path:
    """A short place that belongs to this folder: a socket's path has at most 107 characters."""
    return Path("/tmp") / f"raas-g-{hashlib.sha256(bytes(folder)).hexdigest()[:8]}"


@contextlib.contextmanager
def running_rig(folder: Path, config: str = CONFIG) -> Iterator[Rig]:
    folder.mkdir(parents=True, exist_ok=True)
    with (
        running_twin(folder, "--pin-log", str(folder / "pins")) as (twin, port),
        running_guard(folder, port, config) as (guard, paths),
    ):
        rig = Rig(folder, paths, port, twin, guard)
        try:
            yield rig
        finally:
            for job in rig.jobs:
                job.close()
