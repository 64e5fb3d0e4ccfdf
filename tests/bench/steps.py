"""When do steps happen? Read at the twin's pins and on the twin's clock, not from the loop's own stamps.

A program alternates its action every step, so every step changes the duty at the pins. On an ideal grid those changes lie
a whole number of 50 ms apart; the error is what is left. The program also notes the time before each `env.step`, which gives
the delay from there to the changed PWM.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass

import numpy as np

from appliance.benchmark.rig import Rig, running_rig

DT_S = 0.05
PROGRAM = """
import sys, time
import gymnasium, gym_raas
env = gymnasium.make('raaspendulum-v1', disable_env_checker=True).unwrapped
sent = []
for k in range(int(sys.argv[1])):
    sent.append(time.monotonic_ns())
    env.step([1.2 if k % 2 else -1.2])
env.close()
print(*sent)
"""


@dataclass(frozen=True)
class Steps:
    """Percentiles 50, 99 and 100, in ms; drift: slope of the error over the run, in µs per second."""

    count: int
    missed: int
    error_ms: tuple[float, float, float]
    drift_us_per_s: float
    delay_ms: tuple[float, float, float]


def measure(steps: int = 600) -> Steps:
    """Drive `steps` steps on a rig of its own."""
    with running_rig() as rig, rig.session(steps * DT_S + 30.0, os.getgid()) as drive:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROGRAM, str(steps)],
            env={**os.environ, "RAAS_ROBOT": drive.address}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        records, _ = drive.records()
        sent_s = np.array(done.stdout.split(), dtype=np.int64) / 1e9
        changed_s = _changes(rig, sent_s[0])
    # The change that belongs to a step is the first after its request.
    at = np.searchsorted(changed_s, sent_s)
    found = at < len(changed_s)
    acted_s, sent_s = changed_s[at[found]], sent_s[found]
    since_s = acted_s - acted_s[0]
    error_s = since_s - np.round(since_s / DT_S) * DT_S
    error_s -= np.median(error_s)
    drift = np.polyfit(since_s, error_s, 1)[0]
    return Steps(
        len(acted_s), sum(record.missed for record in records), _parts(np.abs(error_s)), drift * 1e6,
        _parts(acted_s - sent_s),
    )  # fmt: skip


def _changes(rig: Rig, start_s: float) -> np.ndarray:
    """Times at which the signed command at the pins took a new value that drives, after `start_s`."""
    records = [record for record in rig.pins() if record.t_ns / 1e9 >= start_s and record.command != 0.0]
    times, last = [], 0.0
    for record in records:
        if record.command != last:
            times.append(record.t_ns / 1e9)
            last = record.command
    return np.array(times)


def _parts(seconds: np.ndarray) -> tuple[float, float, float]:
    p50, p99, longest = np.percentile(seconds, [50, 99, 100]) * 1e3
    return float(p50), float(p99), float(longest)
