"""Which episodes did a job record? Its bundle's steps, cut at resets, each with what was known before it.

A bundle may come from anywhere, so everything in it is checked. What a program knew before its first step stands in the
trace: the newest tick when the action arrived.
"""

from __future__ import annotations

import csv
import io
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import yaml

from appliance.calibration.recordings import BadRecording
from appliance.calibration.session import entry
from appliance.export import schema
from gym_raas import task
from gym_raas.kinds.known import PENDULUM
from gym_raas.parameters import Robot, RobotFileError, robot_from

Array = npt.NDArray[np.generic]
Observations = npt.NDArray[np.float64]

_MOST_STEPS: Final = 100_000
_READ: Final = (
    "k", "received_s", "acted_s", "sample_s", "counts", "angle_rad", "velocity_rad_s", "action", "command", "cost",
    "missed", "flags",
)  # fmt: skip


@dataclass(frozen=True)
class Episode:
    """N steps of a job. `columns`: those of `schema.COLUMNS` that change from step to step, each of shape (N,).

    `seed` is that of the start; None on a robot.
    """

    job: str
    parameter_hash: str
    seed: int | None
    action_limit: float
    columns: dict[str, Array]

    def __len__(self) -> int:
        return len(self.columns["k"])

    @property
    def clipped_actions(self) -> Observations:
        """The actions within the robot's limit, which is what the robot heeds, shape (N,)."""
        return np.clip(self.columns["action"].astype(np.float64), -self.action_limit, self.action_limit)

    @property
    def observations(self) -> Observations:
        """All observations, shape (N + 1, 3): before each step, and after the last."""
        before = np.stack([self.columns[name] for name in schema.OBSERVATION], axis=1)
        last = [[self.columns[name][-1] for name in schema.NEXT_OBSERVATION]]
        return np.concatenate([before, np.array(last)]).astype(np.float64)


@dataclass(frozen=True)
class Job:
    """What a bundle tells of one job."""

    id: str
    name: str
    robot: Robot
    episodes: tuple[Episode, ...]


class _Head(msgspec.Struct, frozen=True):
    """What is needed of report.json."""

    job_id: str
    name: str = ""
    parameter_hash: str = ""


def read(bundle: Path) -> Job:
    """The episodes in a job's bundle. Raises BadRecording."""
    try:
        with zipfile.ZipFile(bundle) as archive:
            head = msgspec.json.decode(entry(archive, "report.json"), type=_Head)
            robot = robot_from(yaml.safe_load(entry(archive, "robot.yaml")), "robot.yaml")
            if robot.kind != PENDULUM.name:
                raise ValueError(f"it drove a robot of kind {robot.kind!r}, and the schema is the pendulum's")
            steps = _steps(entry(archive, "steps.csv").decode())
            with np.load(io.BytesIO(entry(archive, "trace.npz")), allow_pickle=False) as trace:
                ticks = tuple(
                    np.asarray(trace[name]).astype(np.float64) for name in ("t_us", "counts", "velocity_rad_s")
                )
    except (
        OSError, KeyError, ValueError, TypeError, csv.Error, zipfile.BadZipFile, yaml.YAMLError, RobotFileError,
        msgspec.MsgspecError,
    ) as error:  # fmt: skip
        raise BadRecording(f"{bundle.name} is no bundle of a job that drove: {error}") from error
    if robot.kind != PENDULUM.name:
        raise BadRecording(
            f"{bundle.name} was recorded on a {robot.kind}; data sets are written of the {PENDULUM.noun} only."
        )
    if not len(steps["k"]):
        raise BadRecording(f"Job {head.job_id} made no step, so there is nothing to export.")
    if not len(ticks[0]) or len({len(column) for column in ticks}) != 1:
        raise BadRecording(f"{bundle.name} has no trace, which tells how each episode began.")
    cut = [
        _episode(head, robot, {name: column[part] for name, column in steps.items()}, ticks) for part in _parts(steps)
    ]
    return Job(head.job_id, head.name, robot, tuple(cut))


def _steps(text: str) -> dict[str, Array]:
    """The columns of steps.csv that are used. Raises KeyError, ValueError, csv.Error."""
    rows = list(csv.DictReader(io.StringIO(text)))
    if len(rows) > _MOST_STEPS:
        raise ValueError(f"more than {_MOST_STEPS} steps")
    found = {name: np.array([float(row[name]) for row in rows]) for name in _READ}
    if not all(np.all(np.isfinite(column) & (np.abs(column) < 2**53)) for column in found.values()):
        raise ValueError("steps.csv holds a number that can't be")
    return dict(found)


def _parts(steps: dict[str, Array]) -> list[slice]:
    """A part for each episode: at a reset the boundaries' index begins anew."""
    starts = np.flatnonzero(np.diff(steps["k"].astype(np.int64)) <= 0) + 1
    return [slice(begin, end) for begin, end in pairwise([0, *starts.tolist(), len(steps["k"])])]


def _episode(head: _Head, robot: Robot, steps: dict[str, Array], ticks: Sequence[Observations]) -> Episode:
    first_counts, first = _before(float(steps["received_s"][0]), robot, ticks)
    angles, velocities = steps["angle_rad"].tolist(), steps["velocity_rad_s"].tolist()
    seen = np.array([first, *(task.observation(*state) for state in zip(angles, velocities, strict=True))])
    counts = np.array([first_counts, *steps["counts"].tolist()]).astype(np.int64)
    number = len(steps["k"])
    columns: dict[str, Array] = {
        "step": np.arange(number),
        **{name: steps[name] for name in ("received_s", "acted_s", "sample_s", "action")},
        **{name: steps[name].astype(np.int64) for name in ("k", "flags")},
        "skipped": steps["missed"].astype(np.int64),
        "counts": counts[:-1],
        "next_counts": counts[1:],
        "applied_duty": steps["command"].astype(np.float64) / robot.pwm.range,
        "reward": 0.0 - steps["cost"].astype(np.float64),
        "terminated": np.zeros(number, np.bool_),
        "truncated": np.arange(number) == number - 1,
    }
    for place, (before, after) in enumerate(zip(schema.OBSERVATION, schema.NEXT_OBSERVATION, strict=True)):
        columns[before], columns[after] = seen[:-1, place], seen[1:, place]
    return Episode(head.job_id, head.parameter_hash or robot.parameter_hash, None, robot.limits.action, columns)


def _before(received_s: float, robot: Robot, ticks: Sequence[Observations]) -> tuple[int, tuple[float, float, float]]:
    """Counts and observation at the newest tick when an action arrived."""
    t_us, counts, velocity_rad_s = ticks
    at = max(0, int(np.searchsorted(t_us, received_s * 1e6 + 0.5)) - 1)
    angle_rad = math.pi + float(counts[at]) * robot.encoder.rad_per_count
    return int(counts[at]), task.observation(angle_rad, float(velocity_rad_s[at]))
