"""From the setup code to a first job: what a new owner is led through, and that nobody else is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from appliance.care import foreground, page_settings
from appliance.care.foreground import Process
from tests.webui.conftest import set_stage
from tests.webui.http_calls import Answer, call, form
from tests.webui.stage import Stage, WebProcess

REAL = "name: pendulum\nrobot: {link: pigpiod}\n"
PAGE = {"Accept": "text/html"}


class Visit:
    """A browser at a real robot that nobody has claimed, and its cookie."""

    def __init__(self, stage: Stage, web: WebProcess) -> None:
        self.stage, self.web = stage, web
        self.cookie: dict[str, str] = {}

    def get(self, path: str) -> str:
        return call(self.web.port, "GET", path, headers=PAGE | self.cookie).body.decode()

    def post(self, path: str, **fields: str) -> Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.web.url, **PAGE, **self.cookie}
        return call(self.web.port, "POST", path, urlencode(fields).encode(), headers)

    def claim(self) -> Answer:
        code = (self.stage.paths.identity / "setup-code").read_text().strip()
        answer = self.post("/claim", code=code, password="correct horse battery")
        self.cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}
        return answer


@pytest.fixture(scope="module")
def claimed() -> Iterator[Visit]:
    with set_stage(REAL) as stage, stage.serve() as web:
        foreground.publish(stage.paths, [Process("webui", 4712, 0)])
        visit = Visit(stage, web)
        visit.claim()
        yield visit


def test_whoever_claims_a_robot_names_it_and_says_who_may_submit() -> None:
    with set_stage(REAL) as stage:
        foreground.publish(stage.paths, [Process("webui", 4712, 0)])
        with stage.serve() as web:
            visit = Visit(stage, web)
            assert visit.claim().headers["location"] == "/owner/welcome"
            assert 'value="pendulum"' in visit.get("/owner/welcome")
            answer = visit.post("/owner/welcome", **{"name": "Lab 7 θ", "web.submit": "token"})
            assert answer.status == 200
            assert answer.headers["refresh"].endswith("url=/owner/welcome")
            assert "starts anew" in answer.body.decode()
            assert foreground.wishes(stage.paths) == ["webui"]
        with stage.serve() as web:
            visit.web = web
            assert 'value="Lab 7 θ"' in visit.get("/owner/welcome")
            body, headers = form({"sample": "random"})
            assert call(web.port, "POST", "/api/jobs", body, headers).status == 401


def test_a_first_job_and_a_calibration_are_one_press_away(claimed: Visit) -> None:
    assert "Run it again" not in claimed.get("/owner/welcome")
    body, headers = form({"sample": "swing_up"})
    answer = call(claimed.web.port, "POST", "/submit", body, headers | {"Origin": claimed.web.url, **claimed.cookie})
    assert answer.status == 303
    assert claimed.post("/owner/calibration/start").status == 303
    page = claimed.get("/owner/welcome")
    assert f'href="{answer.headers["location"]}"' in page
    assert "Run it again" in page
    assert "Calibrate again" in page


@pytest.mark.parametrize(
    ("key", "text", "said"), [("name", "", "a text of 1 to 40"), ("name", "x" * 41, "1 to 40"), ("web.submit", "nobody", "anyone or token")]
)  # fmt: skip
def test_a_bad_choice_is_told_beside_its_field_and_nothing_is_saved(
    claimed: Visit, key: str, text: str, said: str
) -> None:
    answer = claimed.post("/owner/welcome", **{"name": "fine", "web.submit": "token", key: text})
    assert answer.status == 400
    assert said in answer.body.decode()
    assert not page_settings.path(claimed.stage.paths).exists()


def test_nothing_but_the_two_is_set_there(claimed: Visit) -> None:
    before = foreground.wishes(claimed.stage.paths)
    claimed.post("/owner/welcome", **{"sandbox.uid": "0", "job.limit_s": "600", "robot.link": "twin"})
    file = page_settings.path(claimed.stage.paths)
    assert not file.exists() or json.loads(file.read_text()) == {}
    assert foreground.wishes(claimed.stage.paths) == before


def test_strangers_and_other_pages_cant(claimed: Visit) -> None:
    stranger = Visit(claimed.stage, claimed.web)
    assert stranger.post("/owner/welcome", name="mine").headers["location"] == "/login"
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://evil.example", **claimed.cookie}
    assert call(claimed.web.port, "POST", "/owner/welcome", b"name=evil", headers).status == 403
    headers.pop("Origin")
    assert call(claimed.web.port, "POST", "/owner/welcome", b"name=evil", headers).status == 403
