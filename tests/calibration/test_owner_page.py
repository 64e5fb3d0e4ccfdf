"""The owner's page Calibration on the real web process."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from appliance.calibration.__main__ import answer
from appliance.jobs import State
from appliance.store import Store
from appliance.webui.doorkeeper import Role, needed
from gym_raas.parameters import PACKAGED, load_robot, parse_robot
from tests.calibration import sitting
from tests.webui.conftest import set_stage
from tests.webui.http_calls import Answer, call
from tests.webui.stage import Stage, WebProcess

PAGE = {"Accept": "text/html"}
HERE = "/owner/calibration"


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[Stage, WebProcess]]:
    with set_stage() as stage, stage.serve() as web:
        yield stage, web


@pytest.fixture(scope="module")
def bundle() -> bytes:
    """What an experiment leaves, of a robot that pushes more weakly; its last seconds, to be quick."""
    robot = load_robot()
    weak = replace(robot, model=replace(robot.model, gain_rad_s2_per_command=0.032))
    t_s, counts, commands = (column[-8_000:] for column in sitting.recorded(weak).trace())
    trace, content = io.BytesIO(), io.BytesIO()
    np.savez(trace, t_us=np.rint(t_s * 1e6).astype(np.int64), counts=counts, command=commands)
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("j/trace.npz", trace.getvalue())
        archive.writestr("j/robot.yaml", PACKAGED.read_bytes())
    return content.getvalue()


def ask(web: WebProcess, method: str, path: str) -> Answer:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": web.url, "Host": web.url[7:], **PAGE}
    return call(web.port, method, path, b"" if method == "POST" else None, headers, timeout_s=120.0)


@pytest.mark.slow
def test_experiment_fit_and_file_one_after_the_other(house: tuple[Stage, WebProcess], bundle: bytes) -> None:
    stage, web = house
    assert ask(web, "POST", f"{HERE}/fit").status == 409
    assert ask(web, "GET", f"{HERE}/robot.yaml").status == 404
    started = ask(web, "POST", f"{HERE}/start")
    job_id = started.headers["location"].rpartition("/")[2]
    store = Store(stage.paths.database)
    job = store.get(job_id)
    assert (job.name, job.state) == ("Calibration", State.QUEUED)
    assert stage.paths.upload(job_id).stat().st_size > 500
    for state in (State.PREPARING, State.WAITING_FOR_ROBOT, State.RUNNING, State.COLLECTING, State.SUCCEEDED):
        store.move(job_id, state, time.time())
    store.close()
    folder = stage.paths.attempt(job_id, 1)
    folder.mkdir(parents=True)
    (folder / "bundle.zip").write_bytes(bundle)
    (folder / "report.json").write_text("{}")
    assert ask(web, "POST", f"{HERE}/fit").status == 303
    page = ask(web, "GET", HERE)
    assert b"Open-loop error" in page.body
    assert page.body.count(b"<svg") >= 2
    fitted = parse_robot(ask(web, "GET", f"{HERE}/robot.yaml").body, "fitted")
    assert fitted.model.gain_rad_s2_per_command == pytest.approx(0.032, rel=0.05)
    assert fitted.pins == load_robot().pins


def test_a_bundle_without_a_recording_is_a_problem_that_is_said(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("x") / "bundle.zip"
    path.write_bytes(b"no")
    assert "holds no recording" in answer(path).problem


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("GET", "/robot.yaml"), ("POST", "/start"), ("POST", "/fit")]
)
def test_it_is_the_owners(method: str, path: str) -> None:
    assert needed(method, HERE + path) is Role.OWNER
