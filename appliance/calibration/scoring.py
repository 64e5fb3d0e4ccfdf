"""How well does a robot's twin match recordings? Open-loop error per run; nothing but each run's start is fitted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import msgspec

from appliance.calibration import prediction, recordings
from appliance.calibration.recordings import Run, check_kind
from gym_raas.model import Model
from gym_raas.parameters import Robot


class RunScore(msgspec.Struct, frozen=True, kw_only=True):
    """One run: its error, and the start that was fitted (all that was)."""

    run: int
    kind: str
    command: float | None
    samples: int
    duration_s: float
    rmse_rad: float
    worst_rad: float
    start_rad: float
    start_velocity_rad_s: float
    rest_rad: float | None


class FileScore(msgspec.Struct, frozen=True, kw_only=True):
    """One file; `rmse_rad` is over all of its samples."""

    file: str
    rmse_rad: float
    runs: list[RunScore]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """What `raas twin score --json` prints."""

    robot: str
    parameter_hash: str
    rmse_rad: float
    files: list[FileScore]


def score(robot: Robot, paths: Sequence[Path], rest_rad: float | None = None) -> Score:
    """The error on each run of each file. Raises BadRecording."""
    check_kind(robot)
    files = [_file(robot.model, path, recordings.read(path), rest_rad) for path in paths]
    return Score(
        robot=robot.name,
        parameter_hash=robot.parameter_hash,
        rmse_rad=_together([run for file in files for run in file.runs]),
        files=files,
    )


def score_run(model: Model, run: Run, index: int = 0, rest_rad: float | None = None, delay_s: float = 0.0) -> RunScore:
    """The error on one run; `delay_s` after which a changed command acts."""
    start = prediction.fitted_start(model, run, rest_rad, delay_s)
    residual = prediction.angles(model, run, start, delay_s) - run.angles_rad
    return RunScore(
        run=index,
        kind="sideways" if run.sideways else "hanging" if run.powered else "free",
        command=run.command if run.powered else None,
        samples=len(residual),
        duration_s=float(run.times_s[-1] - run.times_s[0]),
        rmse_rad=prediction.rmse_rad(residual),
        worst_rad=float(abs(residual).max()),
        start_rad=start.angle_rad,
        start_velocity_rad_s=start.velocity_rad_s,
        rest_rad=None if run.sideways else start.rest_rad,
    )


def _file(model: Model, path: Path, runs: Sequence[Run], rest_rad: float | None) -> FileScore:
    scores = [score_run(model, run, index, rest_rad) for index, run in enumerate(runs)]
    return FileScore(file=str(path), rmse_rad=_together(scores), runs=scores)


def _together(runs: Sequence[RunScore]) -> float:
    samples = sum(run.samples for run in runs)
    return math.sqrt(sum(run.rmse_rad**2 * run.samples for run in runs) / samples)
