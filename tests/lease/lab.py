"""A robot lab for remote drivers: real guard, loop, gateway, twin, runner and lease service; only the cells have no walls."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec

from appliance import config as configuration
from appliance.benchmark.rig import running_rig
from appliance.errors import BadSource
from appliance.intake.preparing import Prepared
from appliance.jobs import State
from appliance.lease import keys
from appliance.lease.permissions import Permissions
from appliance.lifeline import die_with_parent
from appliance.notify import Notifier
from appliance.paths import Paths
from appliance.running import results
from appliance.running.cell import Fitting
from appliance.shapes import Report
from appliance.store import Job, NewJob, Store
from appliance.worker import Parts, Runner
from gym_raas.parameters import PACKAGED
from gym_raas.remote_client import LeaseWish, RemoteClient
from gym_raas.remote_token import LeaseToken
from tests.patience import eventually
from tests.process_cell import ProcessCells

WAIT_S = 60.0
REPOSITORY = Path(__file__).parents[2]
DRIVE = """
import sys, time
from pathlib import Path
import gymnasium, gym_raas
env = gymnasium.make('raaspendulum-v1', robot=sys.argv[1], token=sys.argv[2])
env.reset()
print('driving', flush=True)
for k in range(int(sys.argv[3])):
    _, _, _, _, info = env.step([1.5 if k % 20 < 10 else -1.5])
    print(k, info['missed'], f"{info['network_s']:.4f}", flush=True)
env.close()
print('closed', flush=True)
"""


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def swing(k: int) -> float:
    """Actions that keep the arm moving."""
    return 1.5 if k % 20 < 10 else -1.5


def step_on(client: RemoteClient, steps: int = 1000) -> None:
    """Drive until it is over, which raises."""
    for k in range(steps):
        client.step(swing(k))


@dataclass
class Lab:
    """What a test sees of it. port and address: the lease service's; wrapper: the command that starts it in its place."""

    paths: Paths
    config: configuration.Config
    port: int
    wrapper: tuple[str, ...] = ()
    address: str = "127.0.0.1"
    store: Store = field(init=False)
    service: subprocess.Popen[bytes] = field(init=False)
    programs: list[subprocess.Popen[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = Store(self.paths.database)
        self._stopping = threading.Event()
        self._runner = threading.Thread(target=self._run, daemon=True)

    @property
    def robot(self) -> str:
        """What a program names."""
        return f"raas://{self.address}:{self.port}"

    def start(self) -> None:
        """Start runner and service."""
        self._runner.start()
        self.start_service()

    def start_service(self) -> None:
        """Start the lease service, and wait until it listens."""
        command = [*self.wrapper, sys.executable, "-m", "appliance.lease", "--data", str(self.paths.data)]
        command += ["--runtime-root", str(self.paths.runtime.parent)]
        self.paths.lease_line.unlink(missing_ok=True)
        with (self.paths.data / "lease.log").open("ab") as log:
            self.service = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=REPOSITORY,
                preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509 - between fork and exec: one system call
            )  # fmt: skip
        eventually(self.paths.lease_line.exists, WAIT_S, "the lease service listens", then=self.log)

    def log(self) -> str:
        """What the service has said."""
        return (self.paths.data / "lease.log").read_text()

    def token(self, name: str = "anna", lasts_s: float | None = None) -> str:
        """Hand one out."""
        server, secret = keys.server_secret(self.paths.lease), keys.new_secret()
        with contextlib.closing(Permissions(self.paths.database)) as permissions:
            permissions.grant(name, keys.public(secret), time.time(), lasts_s)
        eventually(lambda: name in self.admitted(), WAIT_S, f"{name} is let in", then=self.log)
        return LeaseToken(keys.public(server), secret).text()

    def admitted(self) -> list[str]:
        """Whom the service lets in by now."""
        lines = [line.partition("over the network: ")[2] for line in self.log().splitlines() if "may drive" in line]
        return lines[-1].split(", ") if lines else []

    def revoke(self, name: str) -> None:
        """Take it back."""
        with contextlib.closing(Permissions(self.paths.database)) as permissions:
            permissions.revoke(name)

    def drive(self, token: str, robot: str = "", wait_s: float = WAIT_S, lease_s: float | None = None) -> RemoteClient:
        """A client in this process that has the robot."""
        return RemoteClient(robot or self.robot, LeaseWish(token, lease_s, wait_s, say=lambda _text: None))

    def program(self, token: str, steps: int, wrapper: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """A program in a process of its own that drives; its lines come as they are printed."""
        command = [*wrapper, sys.executable, "-c", DRIVE, self.robot, token, str(steps)]
        self.programs.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)
        )
        return self.programs[-1]

    def submit(self, program: str) -> str:
        """Queue an ordinary job of these lines; returns its id."""
        return self.store.add(NewJob("archive", program, "ben"), time.time()).id

    def newest(self) -> Job:
        """The job that came last."""
        return self.store.recent(1)[0]

    def ended(self, job_id: str) -> Job:
        """The job once it has ended."""
        eventually(lambda: self.store.get(job_id).state.is_final, WAIT_S, f"{job_id} has ended", then=self.store.recent)
        return self.store.get(job_id)

    def reaches(self, state: State) -> Job:
        """The newest job once it is in this state."""
        return eventually(
            lambda: next((job for job in self.store.recent(5) if job.state is state), None),
            WAIT_S,
            f"a job is {state}",
            then=lambda: f"{self.store.recent()} {self.log()}",
        )

    def freed_after_s(self, job_id: str, since_s: float) -> float:
        """From a wall-clock time to the robot's disarming at the end of a job, s. A self-test follows, then the results."""
        return (self.ended(job_id).ended_at or float("inf")) - since_s

    def report(self, job_id: str) -> Report:
        """What is left of a job."""
        path = self.paths.attempt(job_id, 1) / results.REPORT
        return msgspec.json.decode(path.read_bytes(), type=Report)

    def output(self, job_id: str) -> str:
        """A job's output."""
        return (self.paths.attempt(job_id, 1) / results.OUTPUT).read_text()

    def close(self) -> None:
        """Leave nothing running."""
        for program in self.programs:
            program.kill()
            program.communicate()
        self.service.terminate()
        self.service.wait(20)
        self._stopping.set()
        self._runner.join(WAIT_S)
        self.store.close()

    def _prepare(self, job: Job, _cancelled: object) -> Prepared:
        source = self.paths.source(job.id)
        source.mkdir(parents=True, exist_ok=True)
        if not job.source:
            raise BadSource("nothing")
        (source / "run.py").write_text(job.source)
        return Prepared("commit", 1, 1)

    def _run(self) -> None:
        store = Store(self.paths.database)
        setting = results.Setting("lab", "twin", "0", self.config.job.limit_s)
        parts = Parts(
            self.paths, self.config, store, ProcessCells(), self._prepare, "image",
            lambda _job: Fitting("image"), PACKAGED, setting, Notifier({}), self._stopping,
        )  # fmt: skip
        try:
            Runner(parts).serve()
        finally:
            store.close()


@contextlib.contextmanager
def running_lab(lease: str = "", address: str = "127.0.0.1", wrapper: tuple[str, ...] = ()) -> Iterator[Lab]:
    """A lab with further settings of the section `lease`, such as 'limit_s: 5'. wrapper: starts the service elsewhere."""
    port = free_port()
    text = (
        f"storage: {{min_free_mb: 1}}\njob: {{limit_s: 20}}\n"
        f"lease: {{enabled: true, port: {port}, address: '{address}'{', ' if lease else ''}{lease}}}\n"
    )
    with running_rig(text) as rig:
        lab = Lab(rig.paths, configuration.parse(text, "test"), port, wrapper, address)
        lab.start()
        try:
            yield lab
        finally:
            lab.close()
