"""What did the robot do in a session? Steps and ticks from shared memory, as columns, and how well the loop kept time."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance import histogram
from appliance.calibration.residual import Residual
from appliance.realtime.telemetry import Segment, StepRecord, TickRecord
from appliance.shapes import Result, Timing
from gym_raas.kinds.kind import Task
from gym_raas.kinds.known import PENDULUM

_PERCENTILES: Final = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9, "max": 100.0}
_TICK_TYPE: Final = np.dtype(
    [
        ("t_us", "<u4"),
        ("counts", "<i4"),
        ("velocity_rad_s", "<f4"),
        ("command", "<f4"),
        ("flags", "<u2"),
        ("late_us", "<u4"),
        ("work_us", "<u4"),
    ]
)
_MEASURED: Final = ("k", "received_s", "acted_s", "sample_s", "counts", "angle_rad", "velocity_rad_s")
_DONE: Final = ("action", "command", "cost", "missed", "flags")


@dataclass(frozen=True)
class Recording:
    """All steps and ticks of one session."""

    steps: Sequence[StepRecord]
    ticks: npt.NDArray[np.void]

    @property
    def missed(self) -> int:
        """Boundaries that passed unused."""
        return sum(step.missed for step in self.steps)

    @property
    def return_sum(self) -> float:
        """Sum of all rewards."""
        return -sum(step.cost for step in self.steps)


EMPTY: Final = Recording((), np.zeros(0, _TICK_TYPE))


def read(path: Path) -> Recording:
    """The records in a session's segment; empty where there is none (after a power cut) or it isn't one."""
    try:
        segment = Segment(path, writable=False)
    except (OSError, ValueError):
        return EMPTY
    try:
        return Recording(list(segment.steps()), columns(segment.ticks()))
    finally:
        segment.close()


def columns(ticks: Iterable[TickRecord]) -> npt.NDArray[np.void]:
    """Ticks as a structured array, shape (N,)."""
    return np.fromiter(ticks, _TICK_TYPE)


def result(recording: Recording, stdout: str, *, failed: bool, task: Task = PENDULUM.task) -> Result:
    """The data as `result.json` holds them; times are of the boundary samples, s since run.py started."""
    steps = recording.steps
    return Result(
        times=[step.sample_us / 1e6 for step in steps],
        obs=[task.observation(step.angle_rad, step.velocity_rad_s) for step in steps],
        actions=[step.action for step in steps],
        costs=[step.cost for step in steps],
        stdout=stdout,
        failed=failed,
    )


def steps_csv(recording: Recording, task: Task = PENDULUM.task) -> bytes:
    """One line a step, with everything that the loop recorded, and what the task makes of it; times in s, angles in rad."""
    told = [(place, name) for place, name in enumerate(task.columns) if name not in _MEASURED]
    lines = [",".join([*_MEASURED, *(name for _, name in told), *_DONE])]
    for step in recording.steps:
        seen = task.observation(step.angle_rad, step.velocity_rad_s)
        times = ",".join(f"{us / 1e6:.6f}" for us in (step.received_us, step.acted_us, step.sample_us))
        state = ",".join(
            map(repr, (step.counts, step.angle_rad, step.velocity_rad_s, *(seen[place] for place, _ in told)))
        )
        lines.append(
            f"{step.k},{times},{state},{step.action!r},{step.command:.1f},{step.cost!r},{step.missed},{step.flags}"
        )
    return ("\n".join(lines) + "\n").encode()


def twin_csv(apart: Residual | None) -> bytes:
    """Measured angle and the twin's under the same commands, a line each 50 ms; only a head line without either."""
    lines = ["t_s,angle_rad,twin_rad"]
    if apart is not None:
        columns = zip(apart.times_s.tolist(), apart.measured_rad.tolist(), apart.twin_rad.tolist(), strict=True)
        lines += [f"{t:.6f},{measured:.6f},{twin:.6f}" for t, measured, twin in columns]
    return ("\n".join(lines) + "\n").encode()


def trace_npz(recording: Recording) -> bytes:
    """Every tick as compressed columns for numpy.load; the same ticks give the same bytes."""
    buffer, ticks = io.BytesIO(), recording.ticks
    np.savez_compressed(
        buffer,
        t_us=ticks["t_us"],
        counts=ticks["counts"],
        velocity_rad_s=ticks["velocity_rad_s"],
        command=ticks["command"],
        flags=ticks["flags"],
        late_us=ticks["late_us"],
        work_us=ticks["work_us"],
    )
    return buffer.getvalue()


def timing(recording: Recording, task: Task = PENDULUM.task) -> Timing | None:
    """How late the loop woke, how long it worked, and how far the samples lie from the grid; None without ticks."""
    if not len(recording.ticks):
        return None
    return Timing(
        ticks=len(recording.ticks),
        late_us=_spread(recording.ticks["late_us"]),
        work_us=_spread(recording.ticks["work_us"]),
        step_error_us=_spread(np.asarray(step_errors_us(recording.steps, task.dt_s))),
        late_histogram=histogram.counted(recording.ticks["late_us"].tolist()),
        missed_ticks=missed_ticks(recording.ticks),
        missed_boundaries=recording.missed,
    )


def missed_ticks(ticks: npt.NDArray[np.void]) -> int:
    """Deadlines that passed without a tick; the period is the usual distance of two."""
    due_us = ticks["t_us"].astype(np.int64) - ticks["late_us"]
    apart_us = np.diff(due_us)
    if not len(apart_us):
        return 0
    return int(np.sum(np.maximum(np.rint(apart_us / max(1.0, float(np.median(apart_us)))) - 1, 0)))


def step_errors_us(steps: Sequence[StepRecord], dt_s: float = PENDULUM.task.dt_s) -> list[float]:
    """Distance of each step's sample from its boundary t0 + k * dt, µs.

    A grid begins with the first action after a reset: there k falls back, and t0 is the tick that took that action in.
    """
    errors: list[float] = []
    start_us, last_k = 0, -1
    for step in steps:
        if last_k < 0 or step.k <= last_k:
            start_us = step.received_us
        last_k = step.k
        errors.append(abs(step.sample_us - start_us - step.k * dt_s * 1e6))
    return errors


def _spread(values: npt.NDArray[np.generic]) -> dict[str, float]:
    if not len(values):
        return {}
    found = np.percentile(values.astype(float), list(_PERCENTILES.values()))
    return {"mean": float(np.mean(values.astype(float))), **dict(zip(_PERCENTILES, map(float, found), strict=True))}
