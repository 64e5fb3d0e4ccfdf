from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from gym_raas.parameters import load_robot

GIVEN = Path(__file__).with_name("recordings")
NOBODY = "http://127.0.0.1:9"
FILES = [GIVEN / "free_swing.csv", GIVEN / "driven_sideways.csv"]


def calibrate(cwd: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "appliance.cli", "--url", NOBODY, "calibrate", *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def test_recordings_become_a_robot_file_and_a_report(tmp_path: Path) -> None:
    done = calibrate(tmp_path, "--from", *FILES, "--unit", "bench 3")
    assert done.returncode == 0, done.stderr
    robot = load_robot(tmp_path / "robot.yaml")
    assert robot.model.gravity_rad_s2 == pytest.approx(load_robot().model.gravity_rad_s2, rel=1e-3)
    assert robot.fitted["unit"] == "bench 3"
    assert robot.fitted["pwm"] == "software 8000 Hz"
    assert robot.fitted["quality"]["rmse_rad"] < 0.01 < robot.fitted["quality"]["held_out_rmse_rad"] < 0.03
    assert {"date", "software", "sd", "correlation"} <= set(robot.fitted)
    assert "can't be told apart" in " ".join(done.stdout.split())
    page = (tmp_path / "calibration.html").read_text()
    assert page.count("<svg") == 4
    assert "<script" not in page


def test_another_robot_gets_its_own_numbers(tmp_path: Path) -> None:
    weak = yaml.safe_load(Path(load_robot.__globals__["PACKAGED"]).read_text())
    weak["model"] |= {"gravity_rad_s2": 24.0, "gain_rad_s2_per_command": 0.028}
    (tmp_path / "old.yaml").write_text(yaml.safe_dump(weak))
    done = calibrate(tmp_path, "--robot", "old.yaml", "--from", *FILES, "--json")
    found = json.loads(done.stdout)
    assert found["accepted"]
    assert found["rmse_rad"] < 0.01 < found["present_rmse_rad"]
    assert abs(found["constants"]["gravity_rad_s2"]["value"] - 29.59) < 0.1


def test_a_recording_of_something_else_is_refused_and_nothing_is_overwritten(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    walk = np.cumsum(rng.normal(0.0, 0.2, 300))
    text = "t_s,angle_rad,counts\n" + "".join(f"{i * 0.01:.2f},{a:.5f},0\n" for i, a in enumerate(walk))
    (tmp_path / "walk.csv").write_text(text)
    (tmp_path / "robot.yaml").write_text("mine\n")
    done = calibrate(tmp_path, "--from", "walk.csv")
    assert done.returncode == 1
    assert "this is no pendulum" in " ".join(done.stderr.split())
    assert (tmp_path / "robot.yaml").read_text() == "mine\n"


def test_an_arm_that_never_moves_is_refused(tmp_path: Path) -> None:
    (tmp_path / "still.csv").write_text("t_s,angle_rad\n" + "".join(f"{i * 0.01:.2f},0.1\n" for i in range(100)))
    done = calibrate(tmp_path, "--from", "still.csv")
    assert done.returncode == 1
    assert "says nothing about it" in done.stderr


def test_without_recordings_it_wants_an_appliance(tmp_path: Path) -> None:
    done = calibrate(tmp_path, "--job", "last")
    assert done.returncode == 3
    assert "No appliance answers" in done.stderr
