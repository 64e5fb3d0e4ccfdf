"""How soon is a job gone that is to end? Cancelled at any stage, and at its time limit, with a program that ignores everything.

A cancelled job is gone when no process is left in its cell; one that had no cell yet, when it has its final state. At the time
limit two moments count: when the motor is off, and when the last process is gone.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from appliance.client import Refused
from appliance.jobs import State
from tests.abuse.programs import STUBBORN
from tests.appliance_process import Appliance, running_appliance
from tests.patience import eventually
from tests.process_table import in_cells

CANCELS = 50
SEED = 5
#: Until run.py drives it takes about 2 s: half of the wishes come before.
LATEST_S = 4.0
LIMIT_S, GRACE_S = 10.0, 10.0
CONFIG = f"job: {{limit_s: {LIMIT_S}, grace_s: {GRACE_S}}}\n"


@dataclass(frozen=True)
class Cancels:
    """Times from the wish to the end, s, in rising order. stages: how many came in which state."""

    took_s: tuple[float, ...]
    stages: dict[str, int]

    def percentile(self, percent: float) -> float:
        """The smallest time that `percent` of all don't exceed, s."""
        return self.took_s[min(len(self.took_s) - 1, int(np.ceil(len(self.took_s) * percent / 100.0)) - 1)]


@dataclass(frozen=True)
class Limit:
    """Times since the start of run.py, s. off_s: the last moment with the motor on. gone_s: no process of it is left."""

    off_s: float
    gone_s: float


def measure() -> tuple[Cancels, Limit]:
    """Both, on one appliance with the default grace of 10 s and a time limit of 10 s."""
    with tempfile.TemporaryDirectory() as folder, running_appliance(Path(folder), CONFIG) as appliance:
        return cancels(appliance), limit(appliance)


def cancels(appliance: Appliance, count: int = CANCELS, seed: int = SEED) -> Cancels:
    """Cancel `count` jobs, each a random while after it was accepted."""
    moments, stages = random.Random(seed), Counter[str]()
    took_s: list[float] = []
    while len(took_s) < count:
        job_id = appliance.submit({"run.py": STUBBORN}).id
        time.sleep(moments.uniform(0.0, LATEST_S))  # the moment is what is random here
        state = appliance.client.job(job_id).state
        has_cell = bool(in_cells(appliance.paths.data))
        begun_s = time.monotonic()
        try:
            appliance.client.cancel(job_id)
        except Refused:
            continue  # it has ended by itself
        eventually(_Gone(appliance, job_id, has_cell).look, 60.0, "it is gone", pause_s=0.005)
        took_s.append(time.monotonic() - begun_s)
        stages[state] += 1
        appliance.finished(job_id)
    return Cancels(tuple(sorted(took_s)), dict(stages))


def limit(appliance: Appliance) -> Limit:
    """Let the same program reach its time limit."""
    job_id = appliance.submit({"run.py": STUBBORN}).id
    started_s = appliance.reaches(job_id, State.RUNNING).started_at
    assert started_s is not None
    eventually(lambda: not in_cells(appliance.paths.data), LIMIT_S + GRACE_S + 30.0, "it is gone", pause_s=0.005)
    gone_s = time.time() - started_s
    appliance.finished(job_id)
    with np.load(appliance.paths.attempt(job_id, 1) / "trace.npz") as trace:
        driven_us = trace["t_us"][trace["command"] != 0]
    assert driven_us.size, f"it never drove: {appliance.log(job_id)}"
    return Limit(float(driven_us.max()) / 1e6, gone_s)


@dataclass(frozen=True)
class _Gone:
    """Whether a cancelled job is gone; one that had no cell when it was cancelled may get one yet."""

    appliance: Appliance
    job_id: str
    had_cell: bool

    def look(self) -> bool:
        """Ask once."""
        if in_cells(self.appliance.paths.data):
            return False
        return self.had_cell or State(self.appliance.client.job(self.job_id).state).is_final
