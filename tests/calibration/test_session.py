"""The experiment on a robot whose parameters nobody knows: its own program, recorded as the loop records, then fitted."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from appliance.calibration import fitting, session
from appliance.calibration.recordings import BadRecording
from gym_raas.model import Model
from gym_raas.parameters import PACKAGED, Robot, load_robot
from tests.calibration import sitting
from tests.calibration.independent import Arm

ROBOT = load_robot()


def hidden(seed: int) -> Robot:
    rng = np.random.default_rng(seed)
    values = {each.name: getattr(ROBOT.model, each.name) * rng.uniform(0.8, 1.2) for each in dataclasses.fields(Model)}
    return dataclasses.replace(ROBOT, model=Model(**values))


def bundle(path: Path, *, trace: bytes | None = None, robot: bytes = PACKAGED.read_bytes()) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x-attempt-1/robot.yaml", robot)
        if trace is not None:
            archive.writestr("x-attempt-1/trace.npz", trace)
    return path


def packed(**columns: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **columns)
    return buffer.getvalue()


def moving(ticks: int) -> bytes:
    return packed(t_us=np.arange(ticks) * 1000, counts=np.arange(ticks) // 20, command=np.full(ticks, 300.0))


@pytest.mark.parametrize("seed", [3, pytest.param(4, marks=pytest.mark.slow), pytest.param(5, marks=pytest.mark.slow)])
def test_hidden_parameters_and_the_delay_are_recovered_within_their_intervals(seed: int) -> None:
    robot = hidden(seed)
    plant = sitting.recorded(robot, delay_s=0.003, rest_rad=0.02)
    fit = fitting.fit(ROBOT.model, session.runs_of(*plant.trace(), ROBOT))
    truth = dataclasses.asdict(robot.model) | {"delay_s": 0.003}
    missed = [
        each.name for each in fit.estimates if each.name in truth and not each.low <= truth[each.name] <= each.high
    ]
    assert len(missed) <= 1
    half = {each.name: (each.high - each.low) / 2 / each.value for each in fit.estimates}
    assert half["gravity_rad_s2"] < 0.01
    assert half["gain_rad_s2_per_command"] < 0.02
    assert half["dead_zone_command"] < 0.02
    assert half["brake_per_s"] < 0.05


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_95_percent_intervals_of_the_experiment_cover_as_often_as_they_say() -> None:
    """Recorded by MuJoCo, whose friction is not quite ours, with a delay and a rest angle that nobody knows."""
    hits: dict[str, list[bool]] = {}
    widths: dict[str, list[float]] = {}
    for seed in range(2000, 2040):
        robot, rng = hidden(seed), np.random.default_rng(seed + 1)
        delay_s, rest_rad = float(rng.integers(1, 5)) * 1e-3, float(rng.uniform(-0.03, 0.03))
        plant = sitting.recorded(robot, delay_s=delay_s, rest_rad=rest_rad, arm=Arm(robot.model))
        fit = fitting.fit(ROBOT.model, session.runs_of(*plant.trace(), ROBOT))
        truth = dataclasses.asdict(robot.model) | {"delay_s": delay_s}
        for each in fit.estimates:
            if each.name in truth:
                hits.setdefault(each.name, []).append(each.low <= truth[each.name] <= each.high)
                widths.setdefault(each.name, []).append((each.high - each.low) / each.value)
    shares = {name: float(np.mean(each)) for name, each in hits.items()}
    print(shares, {name: float(np.median(each)) for name, each in widths.items()})
    assert 0.90 <= np.mean(list(shares.values())) <= 0.99
    assert min(shares.values()) >= 0.80


def test_a_jobs_bundle_is_cut_into_short_runs_that_count_from_hanging(tmp_path: Path) -> None:
    robot, runs = session.read_bundle(bundle(tmp_path / "b.zip", trace=moving(6000)))
    assert robot.parameter_hash == ROBOT.parameter_hash
    assert [round(run.times_s[-1] - run.times_s[0], 1) for run in runs] == [2.5, 2.5]
    assert all(run.powered and run.from_hanging and run.command == 300 for run in runs)


@pytest.mark.parametrize(
    ("trace", "says"),
    [
        (None, "no trace.npz"),
        (b"junk", "holds no recording"),
        (packed(t_us=np.arange(9)), "holds no recording"),
        (packed(t_us=np.array([object()]), counts=np.zeros(1), command=np.zeros(1)), "holds no recording"),
        (packed(t_us=np.arange(9000) * 1000, counts=np.zeros(9000), command=np.zeros(9000)), "didn't move"),
        (packed(t_us=np.zeros(0), counts=np.zeros(0), command=np.zeros(0)), "didn't move"),
    ],
    ids=["absent", "junk", "columns", "pickle", "still", "empty"],
)
def test_a_bundle_without_a_recording_is_refused(tmp_path: Path, trace: bytes | None, says: str) -> None:
    with pytest.raises(BadRecording, match=says):
        session.read_bundle(bundle(tmp_path / "b.zip", trace=trace))


def test_what_is_no_bundle_or_has_no_robot_is_refused(tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_bytes(b"PK")
    for path in (tmp_path / "no.zip", bundle(tmp_path / "b.zip", trace=moving(3000), robot=b"schema: 7")):
        with pytest.raises(BadRecording, match="holds no recording"):
            session.read_bundle(path)
