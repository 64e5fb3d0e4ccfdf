"""A runner that is killed while a job drives the real loop on the twin: the motor stops, the data stay, the job runs again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import msgspec
import pytest

from appliance import ulid
from appliance.engine import docker_host, ensure_engine
from appliance.errors import RobotError
from appliance.jobs import State
from appliance.paths import Paths
from appliance.realtime.control import GuardClient, Reply, Resume, Status
from appliance.running import cell
from appliance.shapes import Report
from appliance.store import NewJob, Store
from image_build.job_image import ensure_job_image
from tests.patience import eventually
from tests.submissions import tar_of

PROGRAM = """
import gym, gym_raas
env = gym.make('raaspendulum-v0')
for n in range({steps}):
    env.step([0.5])
    if n == 20: print('driving')
"""


class Stack:
    """Twin, guard and runner as processes, as the appliance runs them."""

    def __init__(self, folder: Path, image: str) -> None:
        self.paths = Paths.of(folder / "data", Path("/tmp") / f"rk{os.getpid()}")
        self.paths.inbox.mkdir(parents=True)
        self.paths.runtime.mkdir(parents=True)
        self.folder, self.image = folder, image
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        port = folder / "port"
        self.start("twin", "appliance.realtime.twin", "--port", "0", "--port-file", str(port))
        self.until(port.exists)
        self.start("guard", "appliance.realtime.guard", *self.common, "--link", f"127.0.0.1:{port.read_text().strip()}")
        self.until(lambda: (status := self.status()) is not None and status.loop_alive)
        self.start_runner()
        self.store = Store(self.paths.database)

    @property
    def common(self) -> list[str]:
        config = self.folder / "raas.yaml"
        config.write_text("realtime: {lease_s: 0.5, dead_man_s: 1.0}\nstorage: {min_free_mb: 1}\n")
        return [
            "--data",
            str(self.paths.data),
            "--config",
            str(config),
            "--runtime-root",
            str(self.paths.runtime.parent),
        ]

    def start(self, name: str, module: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            command = [sys.executable, "-m", module, *arguments]
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log)

    def start_runner(self) -> None:
        self.start("runner", "appliance.runner", *self.common, "--image", self.image)

    def status(self) -> Reply | None:
        with contextlib.suppress(RobotError), GuardClient(self.paths.control("resume")) as guard:
            return guard.ask(Status())
        return None

    def until(self, what: Callable[[], bool], timeout_s: float = 90.0) -> None:
        """Wait for it; a fault that an overloaded test machine brings about is cleared."""

        def look() -> bool:
            status = self.status()
            if status is not None and status.state == "fault":
                with contextlib.suppress(RobotError), GuardClient(self.paths.control("resume")) as guard:
                    guard.ask(Resume("test"))
            return what()

        eventually(look, timeout_s, pause_s=0.05, then=self.logs)

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in self.folder.glob("*.log"))

    def submit(self, steps: int) -> str:
        job_id = ulid.new(time.time())
        self.paths.upload(job_id).write_bytes(tar_of({"run.py": PROGRAM.format(steps=steps)}))
        return self.store.add(NewJob("archive", "job.tar.gz", "ann"), time.time(), job_id).id

    def output(self, job_id: str, attempt: int) -> str:
        with contextlib.suppress(OSError):
            return (self.paths.attempt(job_id, attempt) / "output.log").read_text()
        return ""

    def close(self) -> None:
        for name in ("runner", "guard", "twin"):
            self.processes[name].terminate()
            self.processes[name].wait(20)
        self.store.close()
        shutil.rmtree(self.paths.runtime.parent)
        self.paths.live_ring.unlink()
        self.paths.shm.rmdir()


@pytest.fixture
def client(tmp_path: Path) -> Iterator[docker.DockerClient]:
    with ensure_engine(tmp_path / "engine", docker_host(os.environ)) as client:
        yield client


@pytest.fixture
def stack(tmp_path: Path, client: docker.DockerClient) -> Iterator[Stack]:
    stack = Stack(tmp_path, ensure_job_image(client))
    yield stack
    stack.close()


def _cells(client: docker.DockerClient, stack: Stack) -> int:
    return len(client.api.containers(filters={"label": f"{cell.LABEL}={stack.paths.tag}"}))


def test_a_killed_runner_costs_an_attempt_and_nothing_else(stack: Stack, client: docker.DockerClient) -> None:
    job_id = stack.submit(steps=2000)
    stack.until(lambda: "driving" in stack.output(job_id, stack.store.get(job_id).attempt))
    first = stack.store.get(job_id).attempt  # 2 where an overloaded machine took the first
    stack.processes["runner"].send_signal(signal.SIGKILL)
    stack.processes["runner"].wait()
    stack.until(lambda: (status := stack.status()) is not None and status.session == "", 5.0)  # the lease has lapsed
    stack.until(lambda: _cells(client, stack) == 1)  # the one that waited for the next job has ended by itself
    stack.start_runner()
    stack.until((stack.paths.attempt(job_id, first) / "report.json").exists)
    report = msgspec.json.decode((stack.paths.attempt(job_id, first) / "report.json").read_bytes(), type=Report)
    assert (report.state, report.reason) == ("failed", "interrupted")
    assert report.steps >= 20
    if first == 1:
        stack.until(lambda: "driving" in stack.output(job_id, 2))
        assert stack.store.get(job_id).state is State.RUNNING
        stack.store.request_cancel(job_id, time.time())
    stack.until(lambda: stack.store.get(job_id).state.is_final)
    stack.until(lambda: _cells(client, stack) == 1)  # which waits for the next job
    assert not list(stack.paths.shm.glob("?" * 16))


def test_sigterm_ends_runner_and_cell_within_seconds_with_the_motor_off(
    stack: Stack, client: docker.DockerClient
) -> None:
    job_id = stack.submit(steps=2000)
    stack.until(lambda: "driving" in stack.output(job_id, stack.store.get(job_id).attempt))
    begun_s = time.monotonic()
    stack.processes["runner"].terminate()
    assert stack.processes["runner"].wait(10) == 0
    assert time.monotonic() - begun_s < 5.0  # 1.5 s on an idle machine
    status = stack.status()
    assert status is not None
    assert status.session == ""
    assert _cells(client, stack) == 0
    assert stack.store.get(job_id).reason == "interrupted"
