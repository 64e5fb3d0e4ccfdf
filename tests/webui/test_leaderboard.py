"""Who is best at the standard task: listed only under a name, given only by who may."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.identity.ownership import Ownership
from appliance.jobs import State
from appliance.store import Job
from tests.runner_house import House
from tests.webui.conftest import set_stage
from tests.webui.http_calls import call, post_form, post_json
from tests.webui.stage import Stage, WebProcess


def did_it(
    stage: Stage,
    mean_return: float,
    board_name: str = "",
    submitter: str = "anonymous@127.0.0.1",
    robot: str = "pendulum (twin)",
) -> Job:
    """A job that did the standard task."""
    job = stage.running("swings", submitter=submitter)
    stage.store.move(job.id, State.COLLECTING, time.time())
    done = {"standard_return": mean_return, "twin_return": mean_return - 900.0, "robot": robot}
    stage.store.move(job.id, State.SUCCEEDED, time.time(), ended_at=time.time(), **done)
    return stage.store.set_board_name(job.id, board_name, time.time())


def test_each_name_stands_there_once_with_its_best_run_the_best_first(stage: Stage, web: WebProcess) -> None:
    did_it(stage, -700.0, "Ada")
    best = did_it(stage, -610.5, "ada")
    did_it(stage, -580.0, "Ben")
    did_it(stage, -100.0)
    stage.running("never did it")
    found = call(web.port, "GET", "/api/leaderboard").json
    assert [(each["rank"], each["name"], each["mean_return"]) for each in found["entries"]] == [
        (1, "Ben", -580.0), (2, "ada", -610.5),
    ]  # fmt: skip
    assert found["entries"][1]["job_id"] == best.id
    assert found["entries"][1]["twin_return"] == -1510.5
    assert found["unlisted"] == 1
    page = call(web.port, "GET", "/leaderboard").body.decode()
    assert page.index("Ben") < page.index("ada")
    assert "−610.5" in page
    assert "1 more run has done the task without a name" in page


def test_another_robot_has_standings_of_its_own_for_the_same_name(stage: Stage, web: WebProcess) -> None:
    did_it(stage, -700.0, "Ada")
    did_it(stage, -600.0, "Ada", robot="pendulum 7")
    assert len(call(web.port, "GET", "/api/leaderboard").json["entries"]) == 2


def test_a_name_is_given_when_submitting(stage: Stage, web: WebProcess) -> None:
    answer = post_form(web.port, {"board_name": "  Ada\x1b[31m\nL. "}, ("a.zip", b"archive"))
    assert answer.json["board_name"] == "Ada [31m L."
    wish = {"git_url": "https://example.org/a/b.git", "board_name": "x" * 90}
    assert post_json(web.port, "/api/jobs", wish).json["board_name"] == "x" * 40


def test_markup_in_a_name_is_text(stage: Stage, web: WebProcess) -> None:
    did_it(stage, -1.0, "<script>alert(1)</script>")
    assert "<script>alert(1)" not in call(web.port, "GET", "/leaderboard").body.decode()


@pytest.fixture
def owned() -> Iterator[tuple[Stage, WebProcess, dict[str, str]]]:
    with set_stage("robot: {link: pigpiod}\nweb: {submit: anyone}\n") as stage:
        ownership = Ownership(stage.paths.identity)
        ownership.claim(ownership.setup_code(), "correct horse battery")
        tokens = {
            name: ownership.add_token(name, right, 0.0) for name, right in (("anna", "submit"), ("otto", "owner"))
        }
        with stage.serve() as web:
            yield stage, web, tokens


@pytest.mark.parametrize(
    ("submitter", "token", "cookie", "status"),
    [
        ("anna@192.0.2.7", "anna", "", 200),  # the same person from elsewhere
        ("ben@127.0.0.1", "anna", "", 403),
        ("ben@127.0.0.1", "", "ben", 200),
        ("ben@127.0.0.1", "", "", 403),
        ("ben@192.0.2.7", "", "ben", 403),  # the name alone is no proof
        ("ben@192.0.2.7", "otto", "", 200),
    ],
)
def test_only_the_submitter_or_the_owner_lists_a_job(
    owned: tuple[Stage, WebProcess, dict[str, str]], submitter: str, token: str, cookie: str, status: int
) -> None:
    stage, web, tokens = owned
    job = did_it(stage, -650.0, submitter=submitter)
    headers = {"Authorization": f"Bearer {tokens[token]}"} if token else {}
    headers |= {"Cookie": f"raas_name={cookie}"} if cookie else {}
    answer = post_json(web.port, f"/api/jobs/{job.id}/board", {"name": "Me"}, **headers)
    assert answer.status == status
    assert stage.store.get(job.id).board_name == ("Me" if status == 200 else "")


@pytest.mark.parametrize("body", [b"", b"[]", b'{"name": 7}', b'{"name": "a", "more": 1}', b'{"name": "' + b"x" * 300 + b'"}'])  # fmt: skip
def test_a_bad_wish_is_refused(stage: Stage, web: WebProcess, body: bytes) -> None:
    job = did_it(stage, -650.0)
    headers = {"Content-Type": "application/json"}
    assert call(web.port, "POST", f"/api/jobs/{job.id}/board", body, headers).status == 400
    assert call(web.port, "POST", "/api/jobs/x/board", b'{"name": "a"}', headers).status == 404


def test_the_runner_keeps_the_return_of_a_job_that_did_it(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.guard.standard = True
    try:
        house.start()
        ended = house.until_final(house.submit())
    finally:
        house.close()
    assert ended.state is State.SUCCEEDED
    assert ended.standard_return == pytest.approx(-400 * 9.8696, rel=1e-3)
    assert ended.twin_return == pytest.approx(ended.standard_return)
    assert ended.robot == "test (twin)"
