"""All of an appliance but systemd, each process started here so that it can be broken.

It has an engine of its own, real cells, and a queue in which a job that drives never lacks.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from appliance import ulid
from appliance.engine import connect
from appliance.errors import RobotError
from appliance.paths import Paths
from appliance.realtime.control import GuardClient, Reply, Resume, Status
from appliance.realtime.telemetry import LiveRecord, LiveRing, RobotState
from appliance.store import NewJob, Store
from image_build.job_image import ensure_job_image
from tests.patience import eventually
from tests.process_table import processes
from tests.realtime.chaos.pin_watch import PinWatch
from tests.second_engine import SecondEngine, second_engine
from tests.submissions import tar_of

LEASE_S = 0.6
SILENCE_S = 0.5
_CONFIG = f"""
name: chaos
realtime: {{lease_s: {LEASE_S}, job_silence_s: {SILENCE_S}}}
job: {{grace_s: 1}}
storage: {{min_free_mb: 1, clear_above_percent: 100}}
federation: {{bucket: chaos, endpoint: "http://127.0.0.1:9"}}
"""
#: Alternates, so that every step shows at the pins.
_PROGRAM = """
import itertools
import gymnasium, gym_raas
env = gymnasium.make('raaspendulum-v1', disable_env_checker=True).unwrapped
for k in itertools.count():
    env.step([1.2 if k % 2 else -1.2])
"""
_WAITING_JOBS = 2
_PATIENCE_S = 120.0
#: A job that ends by itself within this isn't one to break something under.
_LEFT_US = 8_000_000
#: The ring shows a new state up to this much later than the pins.
_RING_NS = 30_000_000


class House:
    """The processes, by name, and what can be seen of them."""

    def __init__(self, folder: Path, engine: SecondEngine, image: str) -> None:
        self.paths = Paths.of(folder / "data", Path("/tmp") / f"rc{os.getpid()}")
        for path in (self.paths.inbox, self.paths.runtime):
            path.mkdir(parents=True, exist_ok=True)
        self.paths.config.write_text(_CONFIG)
        self.engine, self._folder, self._image = engine, folder, image
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.pins = PinWatch(folder / "pins")
        self.store = Store(self.paths.database)
        self._commands = self._all_commands(folder)
        self.job_pids: list[int] = []

    def _all_commands(self, folder: Path) -> dict[str, Sequence[str]]:
        port = folder / "port"
        common = ["--data", str(self.paths.data), "--config", str(self.paths.config)]
        common += ["--runtime-root", str(self.paths.runtime.parent)]
        twin = ["--port", "0", "--port-file", str(port), "--pin-log", str(folder / "pins"), "--fifo-priority", "50"]
        return {
            "twin": ("appliance.realtime.twin", *twin),
            "guard": ("appliance.realtime.guard", *common, "--link"),
            "runner": ("appliance.runner", *common, "--image", self._image),
            "webui": ("appliance.webui", *common, "--port", "0"),
            "federation": ("appliance.federation", *common),
        }

    def open(self) -> None:
        """Start everything."""
        port = self._folder / "port"
        self.start("twin")
        eventually(port.exists, _PATIENCE_S, "the twin's port")
        self.start("guard", f"127.0.0.1:{port.read_text().strip()}")
        eventually(
            lambda: (said := self.guard()) is not None and said.loop_alive, _PATIENCE_S, "the loop", then=self.logs
        )
        for name in ("runner", "webui", "federation"):
            self.start(name)

    def start(self, name: str, *arguments: str) -> None:
        """Start a process; one that runs already goes on."""
        if name in self._running and self._running[name].poll() is None:
            return
        with (self._folder / f"{name}.log").open("ab") as log:
            command = [sys.executable, "-m", *self._commands[name], *arguments]
            environment = {**os.environ, "DOCKER_HOST": self.engine.host}
            self._running[name] = subprocess.Popen(command, stdout=log, stderr=log, env=environment)

    def send(self, name: str, number: signal.Signals) -> None:
        """To one of our processes; SIGKILL is waited for."""
        process = self._running[name]
        process.send_signal(number)
        if number is signal.SIGKILL:
            process.wait()

    def send_engine(self, number: signal.Signals) -> None:
        """To dockerd, not to the program of ours that started it."""
        socket = self.engine.host.removeprefix("unix://")
        for process in processes(socket):
            if process.command.startswith("dockerd "):
                os.kill(process.pid, number)

    def send_job(self, number: signal.Signals) -> None:
        """To the processes of the job that was seen driving."""
        for pid in self.job_pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def find_job(self) -> None:
        """See which processes are the job's own; the container's init isn't."""
        self.job_pids = self._in_cells()
        assert self.job_pids, "a job that drives has a process"

    def _in_cells(self) -> list[int]:
        client = connect(self.engine.host)
        assert client is not None, "the engine answers"
        with contextlib.closing(client):
            found = {container["Id"] for container in client.api.containers()}
        pids = []
        for process in processes("run.py"):
            with contextlib.suppress(OSError):
                group = Path(f"/proc/{process.pid}/cgroup").read_text()
                if any(identity in group for identity in found) and "docker-init" not in process.command:
                    pids.append(process.pid)
        return pids

    def restart_engine(self) -> None:
        """As a service manager does: until it stays up. A killed daemon's containerd may be in the way at first."""

        def is_up() -> bool:
            self.engine.stop()
            try:
                self.engine.start()
            except AssertionError:
                return False
            return True

        eventually(is_up, _PATIENCE_S, "dockerd is up again")

    # -- what can be seen ---------------------------------------------------------------------------------------

    def guard(self) -> Reply | None:
        """How the robot is; a fault that an overloaded machine brings about is resumed, as a person would."""
        with contextlib.suppress(RobotError), GuardClient(self.paths.control("resume")) as guard:
            said = guard.ask(Status())
            if said.state == "fault":
                guard.ask(Resume("chaos"))
            return said
        return None

    def ring(self) -> list[LiveRecord]:
        """The last ten seconds, oldest first."""
        ring = LiveRing(self.paths.live_ring)
        try:
            return [record for _, record in ring.since(0)]
        finally:
            ring.close()

    def driving(self) -> LiveRecord:
        """Wait for a job that drives and will do so for a while."""

        def look() -> LiveRecord | None:
            self.feed()
            self.guard()
            newest = self.ring()[-1:]
            well = newest and newest[0].state == RobotState.RUNNING and newest[0].steps > 4
            return newest[0] if well and newest[0].time_left_us > _LEFT_US and self.pins.is_on() else None

        return eventually(look, _PATIENCE_S, "a job that drives", pause_s=0.05, then=self.logs)

    def feed(self) -> None:
        """See to it that jobs wait."""
        while len(self.store.queue()) < _WAITING_JOBS:
            job_id = ulid.new(time.time())
            self.paths.upload(job_id).write_bytes(tar_of({"run.py": _PROGRAM}))
            self.store.add(NewJob("archive", "job.tar.gz", "chaos"), time.time(), job_id)

    def went_on_unarmed(self, off_ns: int, session: int) -> bool:
        """Whether a pin was driven after `off_ns` before anybody settled the robot or armed another session."""
        seen_ns = time.monotonic_ns()  # what comes while the ring is read isn't in it
        later = (one.t_ns for one in self.ring() if one.t_ns > off_ns and _is_allowed(one, session))
        until_ns = next(later, seen_ns) - _RING_NS
        return any(pin.forward or pin.backward for pin in self.pins.after(off_ns) if pin.t_ns < until_ns)

    def logs(self) -> str:
        """The end of everything that was said."""
        return "\n".join(f"{path.name}: {self.log(path.stem)}" for path in self._folder.glob("*.log"))

    def log(self, name: str) -> str:
        """The end of what one process said."""
        return (self._folder / f"{name}.log").read_text()[-1500:]

    def close(self) -> None:
        """End everything, also what is stopped."""
        for name in ("federation", "webui", "runner", "guard", "twin"):
            process = self._running.get(name)
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self.store.close()
        shutil.rmtree(self.paths.runtime.parent, ignore_errors=True)
        shutil.rmtree(self.paths.shm, ignore_errors=True)


def _is_allowed(record: LiveRecord, session: int) -> bool:
    return record.state == RobotState.SETTLING or record.session not in (0, session)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[House]:
    """A house; everything ends with the block."""
    with second_engine() as engine:
        client = connect(engine.host)
        assert client is not None
        with contextlib.closing(client):
            image = ensure_job_image(client)
        house = House(folder, engine, image)
        try:
            house.open()
            yield house
        finally:
            house.close()
