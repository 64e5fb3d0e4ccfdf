"""A cart instead of the pendulum, through the whole appliance: submit over HTTP, real cell, real loop, its own twin."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import requests

from appliance.jobs import State
from appliance.shapes import Report, Result
from gym_raas.kinds.known import KINDS
from gym_raas.parameters import packaged
from tests.appliance_process import Appliance, running_appliance

#: Takes a cart from its mark to the middle; runs on a laptop, too.
PROGRAM = (Path(__file__).parents[2] / "gym_raas" / "examples" / "cart" / "run.py").read_text()


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    folder = tmp_path_factory.mktemp("cart")
    with running_appliance(folder, f"name: a cart\nrobot: {{file: {packaged(KINDS['cart'])}}}\n") as started:
        yield started


def test_a_job_drives_the_cart_and_leaves_plots_bundle_and_report(appliance: Appliance, tmp_path: Path) -> None:
    job = appliance.finished(appliance.submit({"run.py": PROGRAM}).id, 180.0)
    assert job.state == State.SUCCEEDED, f"{job.sentence}\n{appliance.log(job.id)}"
    appliance.client.download(job.id, "bundle.zip", tmp_path / "bundle.zip")
    bundle = zipfile.ZipFile(tmp_path / "bundle.zip")
    files = {Path(name).name: bundle.read(name) for name in bundle.namelist()}
    report = msgspec.json.decode(files["report.json"], type=Report)
    result = msgspec.json.decode(files["result.json"], type=Result)
    assert report.robot_kind == "cart"
    assert report.standard_task is None
    assert report.self_test_before is not None
    assert report.residual is not None
    assert report.residual["rmse_rad"] < 0.5
    assert report.timing is not None
    seen = np.array(result.obs)
    assert seen.shape == (report.steps, 2)
    assert seen[0, 0] == pytest.approx(-0.12, abs=0.02)
    assert abs(seen[-1, 0]) < 0.02
    columns = files["steps.csv"].decode().splitlines()[0].split(",")
    assert columns[5:9] == ["angle_rad", "velocity_rad_s", "position_m", "velocity_m_s"]
    assert "in the middle" in appliance.log(job.id)


def test_the_page_and_the_api_say_that_it_is_a_cart(appliance: Appliance) -> None:
    robot = appliance.client.robot()
    assert robot.kind == "cart"
    page = requests.get(appliance.url, timeout=10).text
    assert 'data-kind="cart"' in page
    assert "Position, cm" in page
    assert "Pendulum" not in page
    assert "pendulum" not in page


def test_a_program_for_a_pendulum_is_told_what_stands_here(appliance: Appliance) -> None:
    program = "import gymnasium, gym_raas\ngymnasium.make('raaspendulum-v1')\n"
    job = appliance.finished(appliance.submit({"run.py": program}).id, 180.0)
    assert job.state == State.FAILED
    assert "this robot is a cart and the environment one for a pendulum" in appliance.log(job.id)
