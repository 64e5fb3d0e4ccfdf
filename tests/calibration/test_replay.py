from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from appliance.calibration import replay
from appliance.calibration.recordings import BadRecording
from gym_raas.parameters import PACKAGED, load_robot

HEAD = "k,action,missed\n"


def bundle(path: Path) -> Path:
    ticks = 4000
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("j-1/robot.yaml", PACKAGED.read_bytes())
        with archive.open("j-1/trace.npz", "w") as file:
            np.savez(
                file, t_us=np.arange(ticks) * 1000, counts=np.zeros(ticks, int), velocity_rad_s=np.zeros(ticks),
                command=np.where(np.arange(ticks) < 2000, 0.0, 100.0),
            )  # fmt: skip
    return path


def test_a_bundle_runs_on_its_own_twin_or_on_another(tmp_path: Path) -> None:
    path = bundle(tmp_path / "bundle.zip")
    assert replay.on_twin(path).rmse_rad == 0.0  # 100 lies in the dead zone
    eager = dataclasses.replace(load_robot().model, dead_zone_command=0.0)
    assert replay.on_twin(path, dataclasses.replace(load_robot(), model=eager)).rmse_rad > 0.01


def test_what_is_no_bundle_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"no")
    with pytest.raises(BadRecording, match="holds no recording"):
        replay.on_twin(tmp_path / "x.zip")


def test_an_action_that_held_over_missed_boundaries_holds_again() -> None:
    assert replay.actions(HEAD + "1,0.5,0\n4,-2.0,2\n") == [0.5, -2.0, -2.0, -2.0]


@pytest.mark.parametrize(
    "rows", ["", "1,nan,0\n", "1,left,0\n", "1,1.0,-1\n", "1,1.0,999999999999\n", "1,1.0\n", "1,0,99999\n2,0,99999\n"]
)
def test_steps_that_cannot_be_replayed_are_refused(rows: str) -> None:
    with pytest.raises(BadRecording):
        replay.actions(HEAD + rows)


def test_the_program_that_replays_runs_as_any_job_does(tmp_path: Path) -> None:
    recorded = [1.0, -1.5, 0.25]
    replay.program(tmp_path / "source.tar.gz", "01ABC", recorded)
    with tarfile.open(tmp_path / "source.tar.gz") as tar:
        tar.extractall(tmp_path, filter="data")
    assert json.loads((tmp_path / "actions.json").read_text()) == recorded
    done = subprocess.run([sys.executable, "run.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stdout == "replayed 3 steps\n", done.stderr
