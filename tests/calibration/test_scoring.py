from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from appliance.calibration import prediction, scoring
from appliance.calibration.prediction import Start
from appliance.calibration.recordings import Run
from gym_raas.parameters import load_robot

GIVEN = Path(__file__).with_name("recordings")
FILES = [GIVEN / "free_swing.csv", GIVEN / "driven_sideways.csv"]
MODEL = load_robot().model


def made(start: Start, *, sideways: bool, command: float, powered: bool, seconds: float = 2.0) -> Run:
    times = np.arange(0.0, seconds, 0.01)
    run = Run("made", times, np.zeros_like(times), np.full_like(times, command), powered, sideways)
    return dataclasses.replace(run, angles_rad=prediction.angles(MODEL, run, start))


def test_the_packaged_twin_matches_the_recordings_of_a_real_unit() -> None:
    swing, driven = scoring.score(load_robot(), FILES).files
    assert swing.rmse_rad < 0.008
    assert [run.command for run in driven.runs] == [200, 600, 1000]
    assert all(run.rmse_rad < 0.016 for run in driven.runs)


def test_a_known_rest_angle_is_taken_as_it_is() -> None:
    (swing,) = scoring.score(load_robot(), FILES[:1], rest_rad=-0.60).files
    assert swing.runs[0].rest_rad == -0.60
    assert swing.rmse_rad < 0.008


@pytest.mark.parametrize(
    ("sideways", "command", "powered"),
    [(False, 0.0, False), (True, 600.0, True), (True, -250.0, True), (True, 0.0, True)],
)
def test_a_twins_own_motion_scores_zero_whatever_its_start(sideways: bool, command: float, powered: bool) -> None:
    start = Start(0.9, 1.7, 0.0 if sideways else -0.4)
    run = made(start, sideways=sideways, command=command, powered=powered)
    found = scoring.score_run(MODEL, run)
    assert found.rmse_rad < 1e-5
    assert found.start_velocity_rad_s == pytest.approx(1.7, abs=1e-3)


def test_an_arm_that_stands_still_scores_zero() -> None:
    times = np.arange(0.0, 1.0, 0.01)
    still = Run("still", times, np.full_like(times, 0.3), np.zeros_like(times), False, False)
    assert scoring.score_run(MODEL, still).rmse_rad < 1e-3


def test_a_wrong_model_scores_worse() -> None:
    wrong = dataclasses.replace(load_robot(), model=dataclasses.replace(MODEL, gravity_rad_s2=33.0))
    assert scoring.score(wrong, FILES[:1]).rmse_rad > 10 * scoring.score(load_robot(), FILES[:1]).rmse_rad


def raas(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "appliance.cli", *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def test_the_command_prints_each_files_runs_as_json(tmp_path: Path) -> None:
    done = raas("twin", "score", *FILES, "--json", cwd=tmp_path)
    found = json.loads(done.stdout)
    assert [len(file["runs"]) for file in found["files"]] == [1, 3]
    assert all(0 < run["rmse_rad"] < 0.02 for file in found["files"] for run in file["runs"])
    assert found["parameter_hash"] == load_robot().parameter_hash


def test_the_command_refuses_what_is_no_recording_or_no_robot(tmp_path: Path) -> None:
    (tmp_path / "robot.yaml").write_text("schema: 7\n")
    for words, says in (
        ([tmp_path / "no.csv"], "can't be read"),
        ([FILES[0], "--robot", "robot.yaml"], "expected is 1"),
    ):
        done = raas("twin", "score", *words, cwd=tmp_path)
        assert done.returncode == 1
        assert says in done.stderr
