"""The owner's pages on the real web process: what they show, who sees them, and what can't be done from them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from appliance.care import foreground, page_settings
from appliance.care.foreground import Process
from appliance.webui.doorkeeper import Role, needed
from tests.care.test_page_settings import NEVER
from tests.webui.conftest import set_stage
from tests.webui.http_calls import Answer, call
from tests.webui.stage import Stage, WebProcess

PAGE = {"Accept": "text/html"}
ROOMS = ("", "/welcome", "/settings", "/services", "/check", "/calibration", "/disk", "/logs", "/support")


@pytest.fixture(scope="module")
def house() -> Iterator[tuple[Stage, WebProcess]]:
    """A twin on loopback: whoever sits at the machine is its owner."""
    with set_stage() as stage, stage.serve() as web:
        foreground.publish(stage.paths, [Process("runner", 4711, 2), Process("webui", 4712, 0)])
        yield stage, web


def post(web: WebProcess, path: str, **fields: str) -> Answer:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": web.url, "Host": web.url[7:], **PAGE}
    return call(web.port, "POST", path, urlencode(fields).encode(), headers)


@pytest.mark.parametrize("room", ROOMS)
def test_each_page_is_there(house: tuple[Stage, WebProcess], room: str) -> None:
    answer = call(house[1].port, "GET", f"/owner{room}", headers=PAGE)
    assert answer.status == 200
    assert b"aria-current" in answer.body
    assert b"<span>pendulum</span>" in answer.body  # the robot's own name, whatever a page's loops are over


@pytest.mark.parametrize(
    "path", [f"/owner{room}" for room in (*ROOMS, "/support.zip")] + ["/api/owner/doctor", "/api/owner/settings"]
)
def test_reading_them_is_the_owners(path: str) -> None:
    assert needed("GET", path) is Role.OWNER


def test_strangers_see_none_of_it() -> None:
    with set_stage("robot: {link: pigpiod}\n") as stage, stage.serve() as web:
        code = (stage.paths.identity / "setup-code").read_text().strip()
        assert call(web.port, "GET", "/owner/logs", headers=PAGE).headers["location"] == "/claim"
        assert post(web, "/claim", code=code, password="correct horse battery").status == 303
        for room in (*ROOMS, "/support.zip"):
            assert call(web.port, "GET", f"/owner{room}", headers=PAGE).headers["location"] == "/login"
            assert call(web.port, "GET", f"/owner{room}").status == 401
        for path in ("/owner/settings", "/owner/settings/save", "/owner/services/webui/restart"):
            assert call(web.port, "POST", path).status == 401
        assert not page_settings.path(stage.paths).exists()


def test_a_page_from_elsewhere_can_do_nothing(house: tuple[Stage, WebProcess]) -> None:
    stage, web = house
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": "http://evil.example"}
    for path in ("/owner/settings/save", "/owner/services/runner/restart"):
        assert call(web.port, "POST", path, b"name=evil&sure=yes", headers).status == 403
    assert foreground.wishes(stage.paths) == []


def test_the_check_says_what_raas_doctor_says(house: tuple[Stage, WebProcess]) -> None:
    answer = call(house[1].port, "GET", "/api/owner/doctor")
    rows = {row["check"]: row for row in answer.json["findings"]}
    assert rows["jobs"]["verdict"] == "ok"
    assert rows["engine"]["verdict"] == "unknown"
    page = call(house[1].port, "GET", "/owner/check", headers=PAGE).body.decode()
    assert "Run again" in page
    assert "isolcpus" in page or "for the loop alone" in page


def test_services_are_shown_and_restarted_by_name(house: tuple[Stage, WebProcess]) -> None:
    stage, web = house
    page = call(web.port, "GET", "/owner/services", headers=PAGE).body.decode()
    assert "process 4711" in page
    assert "restarted 2" in page
    answer = post(web, "/owner/services/webui/restart")
    assert answer.status == 200
    assert answer.headers["refresh"].endswith("/owner/services")
    assert foreground.wishes(stage.paths) == ["webui"]


@pytest.mark.parametrize(
    "path", ["ssh/restart", "..%2Fwebui/restart", "webui/mask", "webui/--now", "webui;x/restart", "x" * 300 + "/stop"]
)
def test_no_other_service_and_no_other_verb(house: tuple[Stage, WebProcess], path: str) -> None:
    stage, web = house
    assert post(web, f"/owner/services/{path}", sure="yes").status in (404, 409)
    assert foreground.wishes(stage.paths) == []


def test_what_would_interrupt_a_job_is_asked_for_twice(house: tuple[Stage, WebProcess]) -> None:
    stage, web = house
    job = stage.running("driving")
    try:
        assert "A job is driving the robot" in post(web, "/owner/services/runner/restart").body.decode()
        assert foreground.wishes(stage.paths) == []
        post(web, "/owner/services/runner/restart", sure="yes")
        assert foreground.wishes(stage.paths) == ["runner"]
    finally:
        stage.finish(job)


def test_logs_are_shown_without_secrets(house: tuple[Stage, WebProcess]) -> None:
    stage, web = house
    stage.paths.logs.mkdir(exist_ok=True)
    (stage.paths.logs / "runner.log").write_text("<b>hello</b>\x1b[2J\npassword=hunter2hunter2\n")
    page = call(web.port, "GET", "/owner/logs?service=runner&lines=200", headers=PAGE).body.decode()
    assert "&lt;b&gt;hello&lt;/b&gt;" in page
    assert "hunter2" not in page
    for query in ("service=../../etc/passwd", "service=ssh", "service=--since"):
        assert call(web.port, "GET", f"/owner/logs?{query}", headers=PAGE).status == 404


def test_the_disk_page_names_the_largest_jobs(house: tuple[Stage, WebProcess]) -> None:
    stage, web = house
    job = stage.running("large")
    (stage.paths.attempt(job.id, 1) / "trace.npz").write_bytes(b"x" * 2**20)
    page = call(web.port, "GET", "/owner/disk", headers=PAGE).body.decode()
    stage.finish(job)
    assert job.id in page
    assert "Database" in page


def test_the_support_bundle_is_a_zip_file(house: tuple[Stage, WebProcess]) -> None:
    answer = call(house[1].port, "GET", "/owner/support.zip")
    assert answer.headers["content-type"] == "application/zip"
    assert "attachment" in answer.headers["content-disposition"]
    with zipfile.ZipFile(io.BytesIO(answer.body)) as archive:
        assert {"diagnosis.txt", "versions.json", "logs/webui.txt"} <= set(archive.namelist())


# --- settings


def test_the_difference_is_shown_before_anything_is_saved(house: tuple[Stage, WebProcess]) -> None:
    stage, web = house
    page = post(web, "/owner/settings", **{"job.limit_s": "61", "web.submit": "token"}).body.decode()
    assert "<del>120</del>" in page
    assert "<ins>61</ins>" in page
    assert "<ins>token</ins>" in page
    assert "runner and webui" in page
    assert not page_settings.path(stage.paths).exists()


def test_what_is_saved_survives_and_holds_after_a_restart() -> None:
    with set_stage("name: lab\n") as stage:
        with stage.serve() as web:
            page = post(web, "/owner/settings/save", **{"name": "Lab 7 θ", "storage.min_free_mb": "1"}).body.decode()
            assert "Restart webui" in page
            assert "raas.yaml says lab" in page
            assert json.loads(page_settings.path(stage.paths).read_text()) == {
                "name": "Lab 7 θ",
                "storage.min_free_mb": 1,
            }
        with stage.serve() as web:
            assert call(web.port, "GET", "/api/robot").json["name"] == "Lab 7 θ"
            assert call(web.port, "GET", "/api/owner/settings").json["storage.min_free_mb"] == 1
            post(web, "/owner/settings/save", name="lab")
            assert "name" not in json.loads(page_settings.path(stage.paths).read_text())


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        ("job.limit_s", "soon", "a number from 1 to 600"), ("job.limit_s", "601", "a number from 1 to 600"),
        ("job.limit_s", "nan", "a number"), ("web.submit", "nobody", "anyone or token"), ("name", "", "a text of 1 to 40"),
        ("name", "x" * 41, "a text of 1 to 40"), ("storage.min_free_mb", "0", "a whole number from 1"), ("name", "a\x1bb", "one line"),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_with_what_would_be_right(
    house: tuple[Stage, WebProcess], key: str, text: str, said: str
) -> None:
    for path in ("/owner/settings", "/owner/settings/save"):
        answer = post(house[1], path, **{key: text})
        assert answer.status == 400
        assert said in answer.body.decode()
    assert not page_settings.path(house[0].paths).exists()


@pytest.mark.parametrize("key", [key for key, _ in NEVER if key])
def test_mounts_network_limits_images_and_motion_cant_be_set_from_here(
    house: tuple[Stage, WebProcess], key: str
) -> None:
    stage, web = house
    answer = post(web, "/owner/settings/save", **{key: "1", "name": "evil"})
    assert answer.status == 403
    assert b"raas.yaml" in answer.body
    assert not page_settings.path(stage.paths).exists()


def test_a_broken_overlay_is_told_on_the_page() -> None:
    with set_stage() as stage:
        page_settings.path(stage.paths).parent.mkdir()
        page_settings.path(stage.paths).write_text('{"sandbox.uid": 1000}')
        with stage.serve() as web:
            page = call(web.port, "GET", "/owner/settings", headers=PAGE).body.decode()
            assert "sandbox.uid" in page
