"""How long does a job wait for the appliance, and the robot for a job?

From POST of an archive to the first action, against `docker run` of the same image with the same flags, in turn; and
from the end of one queued job to the first action of the next. What settling and self-test took is subtracted and shown.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from appliance.config import Config
from appliance.realtime.cores import loop_core
from appliance.running import cell
from appliance.running.cell import Fitting, Limits, Spec
from appliance.shapes import Report, SelfTest
from image_build import job_image
from tests.appliance_process import Appliance, running_appliance

ROUNDS = 10
QUEUED = 12
PROGRAM = """
import time
import numpy, gym, gym_raas
env = gym.make('raaspendulum-v0')
print(time.time(), flush=True)
env.step([1.0])
env.close()
"""
DRIVING = """
import time
import gym, gym_raas
env = gym.make('raaspendulum-v0')
print(time.time(), flush=True)
for k in range({steps}):
    env.step([1.0 if k % 20 < 10 else -1.0])
env.close()
"""
STEPS_PER_S = 20


@dataclass(frozen=True)
class Start:
    """Medians, s. `start_s`: POST to first action without settling. `ratio`: of the medians."""

    start_s: float
    settle_s: float
    docker_run_s: float
    ratio: float


@dataclass(frozen=True)
class Idle:
    """Robot idle between two queued jobs beyond settling: median and longest, s; and the median of settling.

    busy: share of the time, without settling, from the first action of all to the last end, in which a job drove.
    """

    median_s: float
    longest_s: float
    settle_s: float
    busy: float


def measure_queue(jobs: int = QUEUED, seconds: int = 2) -> Idle:
    """Queue `jobs` programs that drive for `seconds` at once, on an appliance of its own."""
    idle, settles, driven_s = [], [], 0.0
    program = DRIVING.format(steps=seconds * STEPS_PER_S)
    with tempfile.TemporaryDirectory() as folder, running_appliance(Path(folder)) as appliance:
        queued = [appliance.submit({"run.py": program}).id for _ in range(jobs)]
        ended_s = after_s = 0.0
        for job_id in queued:
            appliance.finished(job_id, 60.0 * jobs)
            report = _report(appliance, job_id)
            first_s = float(appliance.log(job_id).split()[0])
            driven_s += report.ended_at - first_s
            if ended_s:
                rest_s = _resting_s(report.self_test_before) + after_s
                idle.append(first_s - ended_s - rest_s)
                settles.append(rest_s)
            ended_s, after_s = report.ended_at, _resting_s(report.self_test_after)
    busy = driven_s / (driven_s + sum(idle))
    return Idle(statistics.median(idle), max(idle), statistics.median(settles), busy)


def measure(rounds: int = ROUNDS) -> Start:
    """Take `rounds` rounds on an appliance of its own."""
    starts, settles, runs = [], [], []
    with tempfile.TemporaryDirectory() as folder, running_appliance(Path(folder)) as appliance:
        flags = _docker_flags()
        for _ in range(rounds):
            start_s, settle_s = _job(appliance)
            starts.append(start_s)
            settles.append(settle_s)
            runs.append(_docker_run(flags))
    start_s, run_s = statistics.median(starts), statistics.median(runs)
    return Start(start_s, statistics.median(settles), run_s, start_s / run_s)


def _job(appliance: Appliance) -> tuple[float, float]:
    posted_s = time.time()
    job = appliance.finished(appliance.submit({"run.py": PROGRAM}).id)
    first_s = float(appliance.log(job.id).split()[0])
    settle_s = _resting_s(_report(appliance, job.id).self_test_before)
    return first_s - posted_s - settle_s, settle_s


def _resting_s(test: SelfTest | None) -> float:
    """How long settling and self-test took."""
    return 0.0 if test is None else test.settle_s + test.test_s


def _report(appliance: Appliance, job_id: str) -> Report:
    return msgspec.json.decode((appliance.paths.attempt(job_id, 1) / "report.json").read_bytes(), type=Report)


def _docker_run(flags: list[str]) -> float:
    program = ["python3", "-c", "import numpy, gym"]
    start_s = time.monotonic()
    subprocess.run(["docker", "run", "--rm", *flags, job_image.image_tag(), *program], check=True, capture_output=True)
    return time.monotonic() - start_s


def _docker_flags() -> list[str]:
    """The runner's flags in the words of Docker's command line."""
    job = Config().job
    cores = cell.job_cores(os.sched_getaffinity(0), loop_core(Config().realtime.cpu))
    limits = Limits(61000, job.memory_mb, job.pids, job.cpus, job.tmp_mb, cores)
    spec = Spec("bench", Fitting(job_image.image_tag()), Path("/nowhere"), Path("/nowhere"), {}, limits)
    host = cell.host_config(spec)
    flags = ["--network=none", "--read-only", "--cap-drop=ALL", "--log-driver=none", "--ipc=private"]
    flags += ["--security-opt=no-new-privileges", f"--security-opt=seccomp={cell.SECCOMP_FILE}"]
    flags += [f"--tmpfs={path}:{options}" for path, options in host["tmpfs"].items()]
    flags += [f"--memory={host['mem_limit']}", f"--memory-swap={host['memswap_limit']}"]
    flags += [f"--cpuset-cpus={host['cpuset_cpus']}", f"--cpus={host['nano_cpus'] / 1e9}"]
    flags += [f"--pids-limit={host['pids_limit']}", f"--cpu-shares={host['cpu_shares']}"]
    flags += [f"--shm-size={host['shm_size']}", f"--oom-score-adj={host['oom_score_adj']}"]
    return flags + [f"--ulimit={name}={value}" for name, value in cell.ulimits(spec).items()]
