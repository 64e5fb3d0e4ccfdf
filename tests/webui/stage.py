"""A stage set for the web page: an appliance's outside without its inside.

A swinging pendulum in the live ring, a guard on its control sockets, jobs in the store, results in their folders, all
through the same public shapes that the real parts use. `python -m tests.webui.stage` plays it for a developer's eyes.
"""

from __future__ import annotations

import contextlib
import json
import math
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from appliance import ulid
from appliance.jobs import Reason, State
from appliance.paths import Paths
from appliance.realtime.control import Reply, Request, Resume, Stop
from appliance.realtime.telemetry import LiveRecord, LiveRing, RobotState
from appliance.shapes import Report, Result, Timing
from appliance.store import Job, NewJob, Store
from gym_raas import task
from tests.control_sockets import ControlSockets

LIMIT_S = 120.0


@dataclass
class Pendulum:
    """Just enough physics to be worth watching: an energy-pumping swing-up that catches the arm at the top."""

    angle_rad: float = math.pi
    velocity_rad_s: float = 0.3
    action: float = 0.0

    def decide(self, *, careless: bool = False) -> None:
        """The controller's next action; a careless one lets the arm fall."""
        angle = task.normalised(self.angle_rad)
        if abs(angle) < 0.5:
            wish = -8.0 * angle - 1.6 * self.velocity_rad_s
        else:
            energy = 0.5 * self.velocity_rad_s**2 + 29.85 * (math.cos(angle) - 1.0)
            wish = -2.0 * math.copysign(1.0, energy * self.velocity_rad_s) if abs(energy) > 1.0 else 0.0
        self.action = max(-2.0, min(2.0, 1.5 if careless else wish))

    def move(self, seconds: float) -> None:
        """Integrate with steps of 1 ms."""
        for _ in range(round(seconds * 1000)):
            drive = 6.0 * self.action
            self.velocity_rad_s += 1e-3 * (29.85 * math.sin(self.angle_rad) - 0.2 * self.velocity_rad_s + drive)
            self.angle_rad += 1e-3 * self.velocity_rad_s


class Guard:
    """Answers stop, resume and status as the guard would, while it isn't told to `hang`."""

    def __init__(self, paths: Paths) -> None:
        self.reply = Reply()
        self.asked: list[object] = []
        self.hang = threading.Event()
        self._sockets = ControlSockets(paths, self._answer, ("stop", "resume"))

    def _answer(self, request: Request) -> Reply | None:
        if self.hang.is_set():
            return None
        if isinstance(request, Stop):
            self.reply = Reply(state="stopped", stopped=True, stop_who=request.who, stop_why=request.why)
        elif isinstance(request, Resume):
            self.reply = Reply()
        if isinstance(request, Stop | Resume):
            self.asked.append(request)
        return self.reply

    def close(self) -> None:
        """Be gone, as after a crash."""
        self._sockets.close()


class Robot(threading.Thread):
    """Writes the live ring at 100 Hz; swings while `driven` is set and the guard allows."""

    def __init__(self, paths: Paths, guard: Guard) -> None:
        super().__init__(daemon=True)
        self.driven = threading.Event()
        self.ended = threading.Event()
        self._guard = guard
        self._path = paths.live_ring
        self._ring = LiveRing(paths.live_ring, create=True)

    def run(self) -> None:
        """Move and publish."""
        pendulum, started_s, tick = Pendulum(), time.monotonic(), 0
        while not self.ended.wait(0.01):
            tick += 1
            stopped = self._guard.reply.stopped
            running = self.driven.is_set() and not stopped
            if running and tick % 5 == 0:
                pendulum.decide(careless=tick % 700 < 60)
            if not running:
                pendulum.action = 0.0
                pendulum.velocity_rad_s *= 0.97
                started_s = time.monotonic()
            pendulum.move(0.01)
            self._ring.append(self._record(pendulum, time.monotonic() - started_s, running=running, stopped=stopped))

    def _record(self, pendulum: Pendulum, session_s: float, *, running: bool, stopped: bool) -> LiveRecord:
        state = RobotState.STOPPED if stopped else RobotState.RUNNING if running else RobotState.DISARMED
        left_s = max(0.0, LIMIT_S - session_s) if running else 0.0
        steps = int(session_s / 0.05)
        return LiveRecord(
            time.monotonic_ns(), state, 0, int(running), int(session_s * 1e6), int(left_s * 1e6),
            round((pendulum.angle_rad - math.pi) / (2 * math.pi) * 480), pendulum.angle_rad, pendulum.velocity_rad_s,
            pendulum.action, pendulum.action * 250.0, steps, steps, 0, 0, 1000.0, 123_456, 0, 84, 212,
        )  # fmt: skip

    def close(self) -> None:
        """Stop moving and take the ring away."""
        self.ended.set()
        self.join(2.0)
        shutil.rmtree(self._path.parent, ignore_errors=True)


@dataclass
class Stage:
    """One appliance's folders, with everything in them that the web page looks at."""

    folder: Path
    config_text: str = ""
    paths: Paths = field(init=False)
    store: Store = field(init=False)
    guard: Guard = field(init=False)
    robot: Robot = field(init=False)

    def __post_init__(self) -> None:
        self.paths = Paths.of(self.folder / "data", self.folder / "r")
        self.paths.data.mkdir(parents=True)
        self.paths.config.write_text(self.config_text)
        self.store = Store(self.paths.database)
        self.guard = Guard(self.paths)
        self.robot = Robot(self.paths, self.guard)
        self.robot.start()
        self.store.set_fact("runner_heartbeat", str(time.time()), time.time())

    def close(self) -> None:
        """Take everything down."""
        self.robot.close()
        self.guard.close()
        self.store.close()

    def queued(
        self, name: str, source: str = "https://example.org/lab/pendulum.git", submitter: str = "anna@127.0.0.1"
    ) -> Job:
        """A job that waits."""
        kind = "git" if "://" in source else "archive"
        now_s = time.time()
        job = self.store.add(NewJob(kind, source, submitter, name=name), now_s, ulid.new(now_s))
        if kind == "archive":
            self.paths.inbox.mkdir(exist_ok=True)
            self.paths.upload(job.id).write_bytes(b"archive")
        return job

    def running(self, name: str, since_s: float = 0.0, **more: str) -> Job:
        """A job that drives, since some seconds, with some output."""
        job = self.queued(name, **more)
        for state in (State.PREPARING, State.WAITING_FOR_ROBOT):
            self.store.move(job.id, state, time.time())
        self.store.move(job.id, State.RUNNING, time.time(), started_at=time.time() - since_s)
        self.paths.attempt(job.id, 1).mkdir(parents=True)
        self.print(job, "\x1b[1mswing-up\x1b[0m: connected to the robot\n")
        self.robot.driven.set()
        return self.store.get(job.id)

    def print(self, job: Job, text: str) -> None:
        """The job writes to stdout."""
        with (self.paths.attempt(job.id, job.attempt) / "output.log").open("ab") as log:
            log.write(text.encode())

    def finish(
        self, job: Job, state: State = State.SUCCEEDED, reason: Reason = Reason.NONE, detail: str = "", steps: int = 400
    ) -> Job:
        """The job ends and leaves results."""
        self.robot.driven.clear()
        exit_code = None if state is State.TIMED_OUT else int(state is not State.SUCCEEDED)
        self.store.move(job.id, State.COLLECTING, time.time(), steps=steps, missed_steps=2, exit_code=exit_code)
        self.write_results(job, steps, state)
        return self.store.move(job.id, state, time.time(), reason, detail, ended_at=time.time())

    def write_results(self, job: Job, steps: int, state: State) -> None:
        """Result files as the runner leaves them, the report last."""
        folder = self.paths.attempt(job.id, job.attempt)
        folder.mkdir(parents=True, exist_ok=True)
        log = folder / "output.log"
        log.touch()
        result = played(steps, log.read_text(errors="replace"), failed=state is not State.SUCCEEDED)
        (folder / "result.json").write_bytes(msgspec.json.encode(result))
        rows = zip(result.times, result.obs, result.actions, result.costs, strict=True)
        lines = [f"{t:.3f},{obs[0]:.5f},{obs[1]:.5f},{obs[2]:.4f},{u:.4f},{cost:.5f}" for t, obs, u, cost in rows]
        (folder / "steps.csv").write_text("\n".join(["time_s,cos,sin,velocity_rad_s,action,cost", *lines]) + "\n")
        with zipfile.ZipFile(folder / "bundle.zip", "w") as bundle:
            for name in ("result.json", "steps.csv", "output.log"):
                bundle.write(folder / name, name)
        (folder / "report.json").write_bytes(msgspec.json.encode(_report(job, state, result)))

    def serve(self, *options: str) -> WebProcess:
        """Start the real web process on this stage."""
        return WebProcess(self, *options)


class WebProcess:
    """`python -m appliance.webui` on a free port; a context manager."""

    def __init__(self, stage: Stage, *options: str) -> None:
        paths = stage.paths
        command = [sys.executable, "-m", "appliance.webui", "--data", str(paths.data), "--config", str(paths.config)]
        command += ["--runtime-root", str(paths.runtime.parent), *(options or ("--port", "0"))]
        self._errors = stage.folder / f"web-{time.monotonic_ns()}.log"
        with self._errors.open("w") as errors:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip().rstrip("/")
        if not self.url:
            raise RuntimeError(f"the web process ended with {self.process.wait(10)}: {self.said}")

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rsplit(":", 1)[1])

    def __enter__(self) -> WebProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.communicate(timeout=10)
        assert "Traceback" not in self.said, self.said

    @property
    def said(self) -> str:
        """What stands in its log."""
        return self._errors.read_text()


def played(steps: int, output: str, *, failed: bool) -> Result:
    """A recorded swing-up of so many steps."""
    pendulum = Pendulum()
    times: list[float] = []
    obs: list[tuple[float, float, float]] = []
    actions: list[float] = []
    costs: list[float] = []
    for step in range(steps):
        pendulum.decide(careless=step % 300 > 280)
        costs.append(task.cost(pendulum.angle_rad, pendulum.velocity_rad_s, pendulum.action))
        pendulum.move(0.05)
        times.append(round((step + 1) * 0.05, 3))
        obs.append(task.observation(pendulum.angle_rad, pendulum.velocity_rad_s))
        actions.append(pendulum.action)
    return Result(times=times, obs=obs, actions=actions, costs=costs, stdout=output, failed=failed)


TIMING = Timing(
    ticks=60_000, late_us={"p50": 8.0, "p99": 41.0, "max": 212.0}, work_us={"p50": 61.0, "max": 180.0}, step_error_us={},
    late_histogram=[(5, 812), (10, 41_310), (20, 15_020), (50, 2_790), (100, 61), (200, 6), (500, 1)],
)  # fmt: skip


def _report(job: Job, state: State, result: Result) -> Report:
    now_s = time.time()
    return Report(
        schema=1, job_id=job.id, attempt=job.attempt, state=state, reason="", detail="", name=job.name,
        submitter=job.submitter, source_kind=job.source_kind, source=job.source, ref=job.ref, commit_id=job.commit_id,
        image=job.image, robot="pendulum", robot_kind="pendulum", link="twin", parameter_hash="0" * 16, software="0",
        submitted_at=job.submitted_at, started_at=job.started_at, ended_at=now_s, duration_s=len(result.times) * 0.05,
        limit_s=LIMIT_S, exit_code=0, out_of_memory=False, settle_s=1.5, steps=len(result.times), missed_steps=2,
        return_sum=-sum(result.costs), output_bytes=len(result.stdout), output_dropped_bytes=0, timing=TIMING,
        residual=None, files={},
    )  # fmt: skip


TRACEBACK = """Traceback (most recent call last):
  File "/job/run.py", line 12, in <module>
    env.step(policy(observation))
\x1b[31mValueError: <b>shapes</b> (3,) and (2,) not aligned & more\x1b[0m
"""


def furnish(stage: Stage) -> Job:
    """Some history, a running job and a queue; returns the running job."""
    done = stage.running("Swing-up with energy shaping", 62.0)
    stage.print(
        done,
        "".join(
            f"step {k:4d}  angle {math.cos(k / 9):+.3f}  \x1b[32mreward {-k % 17:.2f}\x1b[0m\n" for k in range(120)
        ),
    )
    stage.finish(done, steps=1200)
    crashed = stage.running("", 3.0, source="my_controller.tar.gz", submitter="anonymous@127.0.0.1")
    stage.print(crashed, TRACEBACK)
    stage.finish(
        crashed, State.FAILED, Reason.EXIT_CODE, "run.py ended with exit code 1; its output says why.", steps=37
    )
    late = stage.running("Random actions", 120.0, source="https://example.org/students/random-walk.git")
    stage.finish(late, State.TIMED_OUT, Reason.TIME_LIMIT, "", steps=2380)
    stage.store.request_cancel(stage.queued("Changed my mind").id, time.time())
    job = stage.running("LQR from every start", source="https://example.org/control/lqr.git")
    stage.queued("PPO, 4th try", submitter="ben@127.0.0.1")
    stage.queued("", source="swing_up_with_a_rather_long_file_name_2026-11-22.zip", submitter="anonymous@127.0.0.1")
    stage.queued("Sample: swing-up", submitter="sample")
    return job


def _play() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="stage-") as folder:
        stage = Stage(Path(folder))
        job = furnish(stage)
        with stage.serve(*sys.argv[1:]) as web, contextlib.suppress(KeyboardInterrupt):
            print(web.url, json.dumps({"running": job.id}), flush=True)
            for step in range(10**9):
                time.sleep(0.5)
                stage.print(job, f"step {step * 10:5d}  \x1b[36mreturn {-step * 3.1:.1f}\x1b[0m\n")
                stage.store.set_fact("runner_heartbeat", str(time.time()), time.time())
        stage.close()


if __name__ == "__main__":
    _play()
