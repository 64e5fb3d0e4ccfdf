"""Archives on their way in: limits, broken uploads, and what they leave behind."""

from __future__ import annotations

import http.client
import socket
import time
from pathlib import Path

import pytest

from tests.patience import eventually
from tests.webui.conftest import set_stage
from tests.webui.http_calls import call, form, post_form, post_json
from tests.webui.stage import Stage, WebProcess

Shared = tuple[Stage, WebProcess]
MIB = 2**20


def partials(stage: Stage) -> list[Path]:
    return list(stage.paths.inbox.glob(".partial-*"))


def test_an_upload_over_the_limit_is_refused_by_its_announced_length(shared: Shared) -> None:
    stage, web = shared
    before = stage.store.count()
    answer = post_form(web.port, {}, ("big.zip", b"x" * (5 * MIB)))
    assert (answer.status, answer.json["error"]) == (413, "too_large")
    assert "4 MiB" in answer.json["message"]
    assert (stage.store.count(), partials(stage)) == (before, [])


def test_an_upload_that_hides_its_length_is_refused_when_it_has_come_too_far(shared: Shared) -> None:
    stage, web = shared
    body, headers = form({}, ("big.zip", b"x" * (5 * MIB)))
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=20)
    pieces = (body[start : start + 65536] for start in range(0, len(body), 65536))
    try:
        connection.request("POST", "/api/jobs", pieces, headers, encode_chunked=True)
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # refused before everything was sent: just as well
    finally:
        connection.close()
    assert partials(stage) == []


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "multipart/form-data; boundary=b", 400),
        (b"--b\r\n", "multipart/form-data; boundary=b", 400),
        (b"garbage", "multipart/form-data; boundary=b", 400),
        (b"--b--\r\n", "multipart/form-data; boundary=b", 400),
        (b"--b--\r\n", "multipart/form-data", 415),
        (b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n", "multipart/form-data; boundary=b", 400),
        (b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\n' + b"x" * 70_000 + b"\r\n--b--", "multipart/form-data; boundary=b", 413),
        (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n' * 20 + b"--b--", "multipart/form-data; boundary=b", 413),
    ],
)  # fmt: skip
def test_a_form_that_is_none_is_refused(shared: Shared, body: bytes, kind: str, status: int) -> None:
    stage, web = shared
    before = stage.store.count()
    answer = call(web.port, "POST", "/api/jobs", body, {"Content-Type": kind})
    assert answer.status == status, answer.body
    assert (stage.store.count(), partials(stage)) == (before, [])


def test_an_empty_file_is_no_archive(shared: Shared) -> None:
    answer = post_form(shared[1].port, {"name": "x"}, ("empty.zip", b""))
    assert (answer.status, answer.json["error"]) == (400, "bad_source")
    assert "Nothing was submitted" in answer.json["message"]


def test_an_upload_that_breaks_off_leaves_nothing(shared: Shared) -> None:
    stage, web = shared
    before = stage.store.count()
    body, headers = form({}, ("half.zip", b"x" * MIB))
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
        head = f"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\nContent-Type: {headers['Content-Type']}\r\n\r\n"
        connection.sendall(head.encode() + body[: MIB // 2])
        eventually(lambda: partials(stage))
    eventually(lambda: not partials(stage))
    assert stage.store.count() == before


def test_a_full_disk_is_said_before_the_upload_begins() -> None:
    with set_stage("storage: {min_free_mb: 1000000}\n") as stage, stage.serve() as web:
        answer = post_form(web.port, {}, ("a.zip", b"x"))
        assert (answer.status, answer.json["error"]) == (507, "disk_full")


def test_what_a_crash_left_in_the_inbox_is_cleared_and_queued_uploads_are_kept(stage: Stage) -> None:
    queued = stage.queued("kept", source="a.zip")
    for name in (".partial-01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAV"):
        (stage.paths.inbox / name).write_bytes(b"left over")
    with stage.serve():
        assert [path.name for path in stage.paths.inbox.iterdir()] == [queued.id]


def test_the_form_of_a_page_without_scripts_leads_to_the_job(shared: Shared) -> None:
    answer = post_form(shared[1].port, {"name": "plain"}, ("a.zip", b"content"), path="/submit")
    assert answer.status == 303
    assert b"plain" in call(shared[1].port, "GET", answer.headers["location"]).body
    git = post_form(shared[1].port, {"git_url": "https://example.org/a/b", "ref": ""}, ("", b""), path="/submit")
    assert git.status == 303


def test_stop_answers_within_a_second_while_100_mb_come_in() -> None:
    with set_stage() as stage, stage.serve() as web:
        body, headers = form({"name": "large"}, ("large.zip", bytes(MIB) * 100))
        sender = http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)
        sender.putrequest("POST", "/api/jobs")
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            sender.putheader(name, value)
        sender.endheaders()
        longest_s = 0.0
        for start in range(0, len(body), 10 * MIB):
            sender.send(body[start : start + 10 * MIB])
            asked_s = time.monotonic()
            assert post_json(web.port, "/api/robot/stop", {}).json["stopped"]
            longest_s = max(longest_s, time.monotonic() - asked_s)
        assert sender.getresponse().status == 201
        assert longest_s < 1.0
