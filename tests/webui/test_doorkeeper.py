"""Who may do what over HTTP, with the real process: before a claim, as the owner, with a token, and as a stranger."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from appliance.identity.ownership import Ownership
from appliance.webui.doorkeeper import Role, needed
from appliance.webui.identity_routes import BURST
from tests.webui.conftest import set_stage
from tests.webui.http_calls import Answer, call, post_form, post_json
from tests.webui.stage import Stage, WebProcess

REAL = "robot: {link: pigpiod}\nweb: {submit: token}\n"
PASSWORD = "correct horse battery"
PAGE = {"Accept": "text/html"}


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "/", Role.VISITOR),
        ("GET", "/api/jobs/x/log", Role.VISITOR),
        ("POST", "/api/robot/stop", Role.VISITOR),
        ("POST", "/stop", Role.VISITOR),
        ("POST", "/api/jobs", Role.SUBMITTER),
        ("POST", "/submit", Role.SUBMITTER),
        ("POST", "/api/robot/resume", Role.OWNER),
        ("POST", "/resume", Role.OWNER),
        ("DELETE", "/api/jobs/x", Role.OWNER),
        ("POST", "/jobs/x/cancel", Role.OWNER),
        ("GET", "/api/tokens", Role.OWNER),
        ("PUT", "/stop", Role.OWNER),
        ("POST", "/stop/", Role.OWNER),
        ("POST", "/whatever/comes/later", Role.OWNER),
    ],
)
def test_what_is_not_named_is_the_owners(method: str, path: str, role: Role) -> None:
    assert needed(method, path) == role


@pytest.fixture
def real() -> Iterator[tuple[Stage, WebProcess]]:
    """The page of a real robot that nobody has claimed."""
    with set_stage(REAL) as stage, stage.serve() as web:
        yield stage, web


def fill_in(web: WebProcess, path: str, **fields: str) -> Answer:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": web.url, "Host": web.url[7:], **PAGE}
    return call(web.port, "POST", path, urlencode(fields).encode(), headers)


def claim(stage: Stage, web: WebProcess) -> dict[str, str]:
    """Claim it; returns the owner's headers."""
    code = (stage.paths.identity / "setup-code").read_text().strip()
    answer = fill_in(web, "/claim", code=code, password=PASSWORD)
    assert (answer.status, answer.headers["location"]) == (303, "/owner/welcome")
    return owner_of(web, answer)


def owner_of(web: WebProcess, answer: Answer) -> dict[str, str]:
    return {"Cookie": answer.headers["set-cookie"].partition(";")[0], "Origin": web.url, "Host": web.url[7:]}


def test_an_unclaimed_robot_shows_how_it_is_and_can_be_stopped(real: tuple[Stage, WebProcess]) -> None:
    _, web = real
    for path in ("/", "/jobs", "/submit"):
        assert call(web.port, "GET", path, headers=PAGE).headers["location"] == "/claim"
    for path in ("/api/jobs", "/api/tokens", "/api/events"):
        assert call(web.port, "GET", path).json["error"] == "unclaimed"
    assert post_json(web.port, "/api/robot/resume", {}).status == 403
    assert call(web.port, "GET", "/api/robot").status == 200
    assert b"setup code" in call(web.port, "GET", "/claim").body
    assert post_json(web.port, "/api/robot/stop", {}).status == 200


def test_the_setup_code_stands_in_the_journal_and_claims_the_robot(real: tuple[Stage, WebProcess]) -> None:
    stage, web = real
    assert (stage.paths.identity / "setup-code").read_text().strip() in web.said
    owner = claim(stage, web)
    assert call(web.port, "POST", "/api/robot/resume", headers=owner).status == 200
    assert call(web.port, "GET", "/api/jobs").status == 200, "reading is for everybody now"
    assert call(web.port, "GET", "/claim", headers=PAGE).headers["location"] == "/login"


def test_a_session_is_for_this_site_only(real: tuple[Stage, WebProcess]) -> None:
    stage, web = real
    owner = claim(stage, web)
    answer = fill_in(web, "/login", password=PASSWORD)
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=Strict" in answer.headers["set-cookie"]
    cookie = {"Cookie": owner["Cookie"]}
    assert call(web.port, "POST", "/api/robot/resume", headers=cookie).json["error"] == "no_origin"
    foreign = {**cookie, "Origin": "http://evil.example"}
    assert call(web.port, "POST", "/api/robot/resume", headers=foreign).json["error"] == "foreign_origin"
    assert call(web.port, "POST", "/api/robot/stop", headers=cookie).status == 200, "a stop is never refused"


def test_strangers_look_and_stop_and_do_nothing_else(real: tuple[Stage, WebProcess]) -> None:
    stage, web = real
    claim(stage, web)
    assert post_json(web.port, "/api/robot/stop", {}).status == 200
    for method, path in (
        ("POST", "/api/robot/resume"),
        ("DELETE", "/api/jobs/x"),
        ("POST", "/api/jobs"),
        ("GET", "/api/tokens"),
    ):
        assert call(web.port, method, path).json["error"] == "login_needed"
    forged = {"Cookie": "raas_session=9999999999.aa.bb", "Origin": web.url, "Host": web.url[7:]}
    assert call(web.port, "POST", "/api/robot/resume", headers=forged).status == 401
    assert call(web.port, "POST", "/resume", headers=PAGE).headers["location"] == "/login"


def test_a_token_lets_people_submit_until_it_is_taken_back(real: tuple[Stage, WebProcess]) -> None:
    stage, web = real
    owner = claim(stage, web)
    made = post_json(web.port, "/api/tokens", {"name": "anna"}, **owner)
    assert made.status == 201
    bearer = {"Authorization": f"Bearer {made.json['token']}"}
    wish = {"git_url": "https://example.org/a.git"}
    assert (
        post_json(
            web.port, "/api/jobs", wish, **bearer, Cookie="raas_name=ben", Origin=web.url, Host=web.url[7:]
        ).status
        == 201
    )
    assert stage.store.recent()[0].submitter == "anna@127.0.0.1", "the token says who it is, whatever the browser says"
    assert call(web.port, "POST", "/api/robot/resume", headers=bearer).status == 401
    by_page = owner_of(web, fill_in(web, "/login", password=made.json["token"]))
    assert post_json(web.port, "/api/jobs", wish, **by_page).status == 201
    (kept,) = call(web.port, "GET", "/api/tokens", headers=owner).json
    assert (kept["name"], kept["right"], kept["ends_at"], kept["ended"]) == ("anna", "submit", None, False)
    assert call(web.port, "DELETE", "/api/tokens/anna", headers=owner).json == []
    assert post_json(web.port, "/api/jobs", wish, **bearer).status == 401


def test_a_token_that_has_ended_opens_nothing() -> None:
    with set_stage(REAL) as stage:
        ownership = Ownership(stage.paths.identity)
        ownership.claim(ownership.setup_code(), PASSWORD)
        ended = ownership.add_token("anna", "owner", time.time() - 100.0, lasts_s=50.0)
        with stage.serve() as web:
            assert call(web.port, "GET", "/api/tokens", headers={"Authorization": f"Bearer {ended}"}).status == 401
            assert fill_in(web, "/login", password=ended).status == 403


def test_the_owner_hands_out_a_token_on_the_page_and_it_is_shown_once(real: tuple[Stage, WebProcess]) -> None:
    stage, web = real
    owner = claim(stage, web) | PAGE
    form = {**owner, "Content-Type": "application/x-www-form-urlencoded"}
    wish = urlencode({"name": "Anna M.", "right": "submit", "days": "30"}).encode()
    page = call(web.port, "POST", "/owner/people", wish, form).body.decode()
    token = re.search(r"raas_[\w-]{32}", page)
    assert token is not None
    later = call(web.port, "GET", "/owner/people", headers=owner).body.decode()
    assert "Anna M." in later
    assert token[0] not in later
    for bad in ({"name": "<b>"}, {"name": "ok", "right": "root"}, {"name": "ok", "days": "0"}, {}):
        assert call(web.port, "POST", "/owner/people", urlencode(bad).encode(), form).status == 400
    assert call(web.port, "POST", "/owner/people/Anna%20M./remove", headers=owner).status == 303
    assert call(web.port, "GET", "/api/tokens", headers=owner).json == []


def test_a_new_password_needs_the_old_one_and_ends_other_sessions(real: tuple[Stage, WebProcess]) -> None:
    stage, web = real
    owner = claim(stage, web)
    form = {**owner, "Content-Type": "application/x-www-form-urlencoded"}
    wrong = urlencode({"old": "not the password", "new": "another password"}).encode()
    assert call(web.port, "POST", "/owner/password", wrong, form).json["error"] == "not_changed"
    right = urlencode({"old": PASSWORD, "new": "another password"}).encode()
    changed = call(web.port, "POST", "/owner/password", right, form)
    assert call(web.port, "GET", "/api/tokens", headers=owner).status == 401
    assert call(web.port, "GET", "/api/tokens", headers=owner_of(web, changed)).status == 200


def test_guessing_is_slow(real: tuple[Stage, WebProcess]) -> None:
    stage, web = real
    claim(stage, web)
    statuses = [fill_in(web, "/login", password=f"guess number {number}").status for number in range(BURST + 1)]
    assert statuses[:-2] == [403] * (BURST - 1), "the claim was the first attempt"
    assert statuses[-1] == 429


def test_a_restart_keeps_owner_and_sessions(real: tuple[Stage, WebProcess]) -> None:
    stage, web = real
    owner = claim(stage, web)
    with stage.serve() as again:
        headers = {**owner, "Origin": again.url, "Host": again.url[7:]}
        assert call(again.port, "POST", "/api/robot/resume", headers=headers).status == 200


def test_a_twin_at_home_asks_nothing(shared: tuple[Stage, WebProcess]) -> None:
    port = shared[1].port
    assert post_json(port, "/api/robot/resume", {}).status == 200
    assert post_form(port, {"git_url": "https://example.org/a.git"}).status == 201
    assert "setup code" not in shared[1].said
