"""A whole appliance under a stream of jobs whose processes are killed at random, with an engine of its own to kill, too."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
import random
import signal
import time
import zipfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

import msgspec

from appliance.client import Refused, Unreachable
from appliance.engine import connect
from appliance.errors import RobotError
from appliance.jobs import State
from appliance.realtime.control import GuardClient, Resume, Status
from appliance.running import cell
from appliance.shapes import Report
from appliance.store import Store
from tests.appliance_process import Appliance
from tests.patience import eventually
from tests.process_table import processes
from tests.second_engine import SecondEngine

PROGRAM = """
import gym, gym_raas
env = gym.make('raaspendulum-v0')
for k in range(30): env.step([1.0])
print('done')
"""
#: What is killed, by what its command line has in it, and how often.
VICTIMS = {"runner": "appliance.runner", "webui": "appliance.webui", "guard": "realtime.guard", "dockerd": "dockerd"}
WEIGHTS = (4, 2, 3, 2)
LONGEST_PAUSE_S = 5.0
WAITING_JOBS = 2
#: Kills between two lines that say how far it is.
TELL_EVERY = 10
_AGAIN_S = 180.0


class Storm:
    """Kills and submits. `accepted` holds the ids of all jobs that were answered with 201."""

    def __init__(self, appliance: Appliance, engine: SecondEngine, seed: int) -> None:
        self.appliance, self.engine = appliance, engine
        self.random = random.Random(seed)
        self.accepted: list[str] = []
        self.kills: Counter[str] = Counter()
        self.faults = 0
        self.store = Store(appliance.paths.database)

    def rage(self, kills: int) -> None:
        """Kill so often, at random moments, with jobs always waiting."""
        started_s = time.monotonic()
        for number in range(kills):
            if number % TELL_EVERY == 0:
                print(f"{time.monotonic() - started_s:6.0f} s  {number} kills, {len(self.accepted)} jobs", flush=True)
            self.feed()
            eventually(self.is_busy, _AGAIN_S, "a job is being worked on", pause_s=0.05, then=self.trace)
            time.sleep(self.random.uniform(0.0, LONGEST_PAUSE_S))  # the moment is what is random here
            (name,) = self.random.choices(list(VICTIMS), WEIGHTS)
            self.kill(name)

    def feed(self) -> None:
        """See to it that there is work. A web server that is away refuses nobody: it is tried again."""
        self.soothe()
        while len(self.store.queue()) < WAITING_JOBS - len(self.store.active()):
            with contextlib.suppress(Unreachable, Refused):
                self.accepted.append(self.appliance.submit({"run.py": PROGRAM}).id)
                continue
            time.sleep(0.1)

    def is_busy(self) -> bool:
        """Whether a job is on its way; a kill at rest would prove little."""
        self.soothe()
        return bool(self.store.active())

    def kill(self, name: str) -> None:
        """SIGKILL to one process, wherever it is; one that is being started again is waited for."""
        marker = (
            str(self.engine.host.removeprefix("unix://"))
            if name == "dockerd"
            else str(self.appliance.paths.runtime.parent)
        )

        def pid() -> int | None:
            found = [p.pid for p in processes(marker) if VICTIMS[name] in p.command and "python3 -c" not in p.command]
            return min(found, default=None)

        victim = eventually(pid, _AGAIN_S, f"{name} runs")
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
        self.kills[name] += 1
        if name == "dockerd":
            self.restart_engine()

    def restart_engine(self) -> None:
        """As a service manager does."""
        self.engine.stop()
        self.engine.start()

    def soothe(self) -> None:
        """Clear a fault that an overloaded machine brings about; a person would."""
        with contextlib.suppress(RobotError), GuardClient(self.appliance.paths.control("resume")) as guard:
            if guard.ask(Status()).state == "fault":
                self.faults += 1
                guard.ask(Resume("test"))

    def calm_down(self, timeout_s: float) -> None:
        """Wait until every job has ended."""

        def is_calm() -> bool:
            self.soothe()
            return all(job.state.is_final for job in self.jobs())

        eventually(is_calm, timeout_s, "all jobs have ended", pause_s=0.2, then=self.trace)

    def jobs(self) -> list:  # type: ignore[type-arg]  # store's Job
        """Every job there is."""
        return self.store.recent(100_000)

    def trace(self) -> str:
        """What there is to read when something went wrong."""
        logs = "\n".join(
            path.read_text(errors="replace")[-6000:] for path in sorted(self.appliance.paths.logs.iterdir())
        )
        return f"{self.kills} {self.jobs()}\n{logs}"

    # --- afterwards -----------------------------------------------------------------------------------------

    def problems(self) -> list[str]:
        """What isn't as it must be, with the appliance still running."""
        return [*self._lost(), *(problem for job in self.jobs() for problem in self._of(job)), *self._robot()]

    def _lost(self) -> list[str]:
        known = {job.id for job in self.jobs()}
        return [f"{job_id} was accepted and is lost" for job_id in self.accepted if job_id not in known]

    def _of(self, job) -> list[str]:  # type: ignore[no-untyped-def]  # store's Job
        found = []
        if not job.state.is_final:
            found.append(f"{job.id} is {job.state}")
        folders = sorted(self.appliance.paths.job(job.id).glob("attempt-*"))
        reports = [report_of(folder) for folder in folders if folder.is_dir()]
        found += [
            f"{job.id}: {folder.name} is incomplete"
            for folder in folders
            if not folder.is_dir() or report_of(folder) is None
        ]
        found += [
            f"{job.id}: {problem}"
            for folder in folders
            if folder.is_dir()
            for problem in (*broken(folder), *gaps(folder))
        ]
        ended = [report.reason for report in reports if report is not None]
        if ended[:-1] != ["interrupted"] * (len(ended) - 1):
            found.append(f"{job.id} ran again without being marked: {ended}")
        if job.state is State.SUCCEEDED and (not reports or reports[-1] is None or reports[-1].steps == 0):
            found.append(f"{job.id} succeeded without data")
        return found

    def _robot(self) -> list[str]:
        robot = self.appliance.client.robot()
        return (
            []
            if robot.command == 0.0 and robot.state == "disarmed"
            else [f"the robot is {robot.state}, {robot.command}"]
        )

    def left_over(self) -> list[str]:
        """What is left of cells, with the appliance stopped."""
        client = connect(self.engine.host)
        assert client is not None
        try:
            found = client.api.containers(all=True, filters={"label": cell.LABEL})
        finally:
            client.close()
        data = str(self.appliance.paths.data)
        mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if data in line]
        partial = [str(path) for path in self.appliance.paths.data.rglob("*.partial")]
        return [*(str(one["Names"]) for one in found), *mounts, *partial]


def report_of(folder: Path) -> Report | None:
    """The report of an attempt, if it is complete."""
    try:
        return msgspec.json.decode((folder / "report.json").read_bytes(), type=Report)
    except FileNotFoundError:
        return None


def broken(folder: Path) -> list[str]:
    """Which files of a complete attempt aren't what its report says."""
    report = report_of(folder)
    if report is None:
        return []
    wrong = [name for name, digest in report.files.items() if sha256(folder / name) != digest]
    with zipfile.ZipFile(folder / "bundle.zip") as bundle:
        if bundle.testzip() is not None:
            wrong.append("bundle.zip")
        inside = {Path(name).name: hashlib.sha256(bundle.read(name)).hexdigest() for name in bundle.namelist()}
    wrong += [f"{name} in bundle.zip" for name, digest in report.files.items() if inside.get(name) != digest]
    return [f"{name} is broken" for name in wrong]


def gaps(folder: Path) -> list[str]:
    """Where a step is absent from the data of an attempt: each says how many boundaries were missed before it."""
    with (folder / "steps.csv").open() as file:
        rows = [(int(row["k"]), int(row["missed"])) for row in csv.DictReader(file)]
    return [f"no step before {now}" for (before, _), (now, missed) in pairwise(rows) if now != before + 1 + missed]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "absent"
