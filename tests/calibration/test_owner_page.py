"""The owner's page Calibration on the real web process."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlencode

import numpy as np
import pytest

from appliance.calibration import in_use, robot_file
from appliance.calibration.__main__ import answer
from appliance.jobs import State
from appliance.store import NewJob, Store
from appliance.webui.doorkeeper import Role, needed
from gym_raas.kinds.known import KINDS
from gym_raas.parameters import PACKAGED, load_robot, packaged, parse_robot
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


def ask(web: WebProcess, method: str, path: str, **fields: str) -> Answer:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": web.url, "Host": web.url[7:], **PAGE}
    content = urlencode(fields).encode() if method == "POST" else None
    return call(web.port, method, path, content, headers, timeout_s=120.0)


def ended(stage: Stage, job_id: str, bundle: bytes) -> None:
    """The experiment's job succeeds, and leaves a bundle."""
    store = Store(stage.paths.database)
    for state in (State.PREPARING, State.WAITING_FOR_ROBOT, State.RUNNING, State.COLLECTING, State.SUCCEEDED):
        store.move(job_id, state, time.time())
    store.close()
    folder = stage.paths.attempt(job_id, 1)
    folder.mkdir(parents=True)
    (folder / "bundle.zip").write_bytes(bundle)
    (folder / "report.json").write_text("{}")


def strangers(stage: Stage, name: str) -> str:
    """A job of somebody else's that has ended; its id."""
    store = Store(stage.paths.database)
    job = store.add(NewJob("archive", "job.tar.gz", "a stranger", name=name), time.time())
    store.move(job.id, State.CANCELLED, time.time())
    store.close()
    return job.id


def gain(web: WebProcess) -> float:
    """As the appliance tells it to whoever simulates its robot."""
    answer = call(web.port, "GET", "/api/robot.yaml")
    return float(parse_robot(answer.body, "in use").model.gain_rad_s2_per_command)


@pytest.mark.slow
def test_experiment_fit_use_and_back_one_after_the_other(house: tuple[Stage, WebProcess], bundle: bytes) -> None:
    stage, web = house
    assert ask(web, "POST", f"{HERE}/fit").status == 409
    assert ask(web, "GET", f"{HERE}/robot.yaml").status == 404
    started = ask(web, "POST", f"{HERE}/start")
    job_id = started.headers["location"].rpartition("/")[2]
    store = Store(stage.paths.database)
    job = store.get(job_id)
    assert (job.name, job.state) == ("Calibration", State.QUEUED)
    assert stage.paths.upload(job_id).stat().st_size > 500
    store.close()
    ended(stage, job_id, bundle)
    assert strangers(stage, "Calibration") not in ask(web, "GET", HERE).body.decode(), "only named alike"
    assert ask(web, "POST", f"{HERE}/fit").status == 303
    page = ask(web, "GET", HERE)
    assert b"Open-loop error" in page.body
    assert page.body.count(b"<svg") >= 2
    fitted = parse_robot(ask(web, "GET", f"{HERE}/robot.yaml").body, "fitted")
    assert fitted.model.gain_rad_s2_per_command == pytest.approx(0.032, rel=0.05)
    assert fitted.pins == load_robot().pins
    assert b"Use this" in page.body
    assert ask(web, "POST", f"{HERE}/use", job=job_id).status == 303
    assert gain(web) == fitted.model.gain_rad_s2_per_command
    page = ask(web, "GET", HERE)
    assert b"Use this" not in page.body
    assert b"Go back to the one before" in page.body
    assert b"is in use" in ask(web, "POST", f"{HERE}/use", job=job_id).body
    assert ask(web, "POST", f"{HERE}/back", job="another").status == 409
    assert ask(web, "POST", f"{HERE}/back", job=job_id).status == 303
    assert gain(web) == load_robot().model.gain_rad_s2_per_command
    assert b"Use this" in ask(web, "GET", HERE).body


@pytest.mark.slow
def test_a_refused_fit_says_why_and_cannot_be_used(house: tuple[Stage, WebProcess], bundle: bytes) -> None:
    """The arm of this recording moves the other way round than the motor pushes it, as with swapped wires."""
    stage, web = house
    job_id = ask(web, "POST", f"{HERE}/start").headers["location"].rpartition("/")[2]
    ended(stage, job_id, backwards(bundle))
    assert ask(web, "POST", f"{HERE}/fit").status == 303
    page = ask(web, "GET", HERE).body.decode()
    assert "Refused; the present constants stay" in page
    assert "Use this" not in page
    answer = ask(web, "POST", f"{HERE}/use", job=job_id)
    assert answer.status == 409
    assert b"This fit is refused" in answer.body
    assert ask(web, "GET", f"{HERE}/robot.yaml").status == 404
    assert gain(web) == load_robot().model.gain_rad_s2_per_command


def backwards(bundle: bytes) -> bytes:
    """The same bundle with its commands turned around."""
    content = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(bundle)) as old, zipfile.ZipFile(content, "w") as new:
        with np.load(io.BytesIO(old.read("j/trace.npz"))) as trace:
            columns = {name: trace[name] * (-1 if name == "command" else 1) for name in trace}
        turned = io.BytesIO()
        np.savez(turned, **columns)
        new.writestr("j/trace.npz", turned.getvalue())
        new.writestr("j/robot.yaml", old.read("j/robot.yaml"))
    return content.getvalue()


def test_what_was_taken_is_shown_told_to_programs_and_left_again(house: tuple[Stage, WebProcess]) -> None:
    stage, web = house
    weak = replace(load_robot(), model=replace(load_robot().model, gain_rad_s2_per_command=0.03))
    in_use.take(PACKAGED, stage.paths, robot_file.text(weak), job="01JOB", by="<b>anna</b>", at_s=time.time())
    assert gain(web) == 0.03
    page = ask(web, "GET", HERE).body.decode()
    assert "&lt;b&gt;anna" in page
    assert "Going back changes 1 constant<" in page
    assert ask(web, "POST", f"{HERE}/use", job="01OTHER").status == 409
    assert ask(web, "POST", f"{HERE}/back", job="01JOB").status == 303
    assert gain(web) == load_robot().model.gain_rad_s2_per_command
    assert b"nothing to go back from" in ask(web, "POST", f"{HERE}/back").body


def test_there_is_no_experiment_for_a_cart() -> None:
    file = packaged(KINDS["cart"])
    with set_stage(f"robot: {{file: {file}}}\n") as stage, stage.serve() as web:
        assert b"There is none for a cart" in ask(web, "GET", HERE).body
        assert b"this robot is a cart" in ask(web, "POST", f"{HERE}/start").body


def test_a_bundle_without_a_recording_is_a_problem_that_is_said(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("x") / "bundle.zip"
    path.write_bytes(b"no")
    assert "holds no recording" in answer(path).problem


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/robot.yaml"), ("POST", "/start"), ("POST", "/fit"), ("POST", "/use"), ("POST", "/back")],
)
def test_it_is_the_owners(method: str, path: str) -> None:
    assert needed(method, HERE + path) is Role.OWNER
