"""Submitting, looking, cancelling, downloading over HTTP."""

from __future__ import annotations

import io
import json
import sqlite3
import statistics
import time
import zipfile

import msgspec
import pytest

from appliance import ulid
from appliance.shapes import JobPage, JobView, Problem
from tests.webui.conftest import set_stage
from tests.webui.http_calls import Answer, call, post_form, post_json
from tests.webui.stage import Stage, WebProcess

Shared = tuple[Stage, WebProcess]
GIT = {"git_url": "https://example.org/lab/pendulum.git", "ref": "main", "name": "mine"}


def problem(answer: Answer, status: int) -> str:
    assert answer.status == status, answer.body
    return msgspec.json.decode(answer.body, type=Problem).message


def test_a_repository_becomes_a_queued_job(shared: Shared) -> None:
    stage, web = shared
    answer = post_json(web.port, "/api/jobs", GIT)
    view = msgspec.json.decode(answer.body, type=JobView)
    assert (answer.status, answer.headers["location"]) == (201, f"/api/jobs/{view.id}")
    assert (view.state, view.source, view.ref, view.name) == ("queued", GIT["git_url"], "main", "mine")
    assert stage.store.get(view.id).submitter == "anonymous@127.0.0.1"


def test_an_archive_is_in_the_inbox_before_its_job_is_queued(shared: Shared) -> None:
    stage, web = shared
    content = bytes(range(256)) * 4000
    view = msgspec.json.decode(
        post_form(web.port, {"name": "from a form"}, ("a/../b.tar.gz", content)).body, type=JobView
    )
    assert (view.source_kind, view.source, view.name) == ("archive", "b.tar.gz", "from a form")
    assert stage.paths.upload(view.id).read_bytes() == content


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "is empty"),
        ("-oProxyCommand=x", "can't begin with"),
        ("file:///etc", "over https"),
        ("ext::sh", "over https"),
        ("git@example.org:a/b", "over ssh"),
        ("http://example.org/a/b", "fetch.allow_http"),
        ("https://me:secret@example.org/a/b", "Leave it out"),
        ("https://example.org", "names no repository"),
        ("https://[::1/a", "not a URL"),
        ("https://example.org/a\nb", "odd characters"),
    ],
)
def test_a_bad_address_is_refused_with_what_would_be_right(shared: Shared, url: str, says: str) -> None:
    assert says in problem(post_json(shared[1].port, "/api/jobs", {"git_url": url}), 400)


def test_plain_http_can_be_allowed_by_the_owner() -> None:
    with set_stage("fetch: {allow_http: true}\n") as stage, stage.serve() as web:
        assert post_json(web.port, "/api/jobs", {"git_url": "http://127.0.0.1:9000/a.git"}).status == 201


@pytest.mark.parametrize("ref", ["--upload-pack=x", "a..b", "a b", "x.lock", "/abs", "a" * 256])
def test_a_bad_ref_is_refused(shared: Shared, ref: str) -> None:
    assert "branch, tag or commit" in problem(post_json(shared[1].port, "/api/jobs", GIT | {"ref": ref}), 400)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"git_url": 1}', b'{"git_url": "https://a/b", "root": true}', b"\xff"]
)
def test_bad_json_is_refused_with_an_example(shared: Shared, body: bytes) -> None:
    assert "Send JSON like" in problem(call(shared[1].port, "POST", "/api/jobs", body), 400)


def test_json_that_is_far_too_long_is_not_read(shared: Shared) -> None:
    assert "at most 16 KiB" in problem(call(shared[1].port, "POST", "/api/jobs", b" " * 20_000), 413)


def test_the_name_in_the_cookie_becomes_the_submitter(shared: Shared) -> None:
    view = post_json(shared[1].port, "/api/jobs", GIT, Cookie="raas_name=Anna%20%C3%9F%0A%40root").json
    assert view["submitter"] == "Anna ßroot@127.0.0.1"


def test_a_name_of_a_job_is_one_printable_line(shared: Shared) -> None:
    assert (
        post_json(shared[1].port, "/api/jobs", GIT | {"name": " a\n\x1b[31mb \u202e c " + "x" * 99})
        .json["name"]
        .startswith("a [31mb c x")
    )


def test_jobs_are_listed_page_by_page_newest_first(web: WebProcess, stage: Stage) -> None:
    ids = [stage.queued(f"job {number}").id for number in range(5)]
    ids.sort(reverse=True)
    first = msgspec.json.decode(call(web.port, "GET", "/api/jobs?limit=3").body, type=JobPage)
    assert ([job.id for job in first.jobs], first.total, first.next) == (ids[:3], 5, ids[2])
    rest = msgspec.json.decode(call(web.port, "GET", f"/api/jobs?limit=3&before={first.next}").body, type=JobPage)
    assert ([job.id for job in rest.jobs], rest.next) == (ids[3:], None)


@pytest.mark.parametrize("limit", ["0", "-1", "x", "501", "1e2", "²", "9" * 5000])
def test_a_bad_limit_is_refused(shared: Shared, limit: str) -> None:
    answer = call(shared[1].port, "GET", f"/api/jobs?limit={limit.encode().hex() if not limit.isascii() else limit}")
    assert "whole number from 1 to 500" in problem(answer, 400)


@pytest.mark.parametrize(
    "job_id", ["x", "0" * 26, "..", "%2e%2e%2fraas.db", "01ARZ3NDEKTSV4RRFFQ69G5FA\u00a0".encode().hex()]
)
@pytest.mark.parametrize("rest", ["", "/log", "/result.json"])
def test_an_unknown_job_is_not_found(shared: Shared, job_id: str, rest: str) -> None:
    problem(call(shared[1].port, "GET", f"/api/jobs/{job_id}{rest}"), 404)


def test_a_queued_job_is_cancelled_at_once_and_only_once(shared: Shared) -> None:
    stage, web = shared
    job = stage.queued("not needed")
    assert call(web.port, "DELETE", f"/api/jobs/{job.id}").json["state"] == "cancelled"
    assert "already ended" in problem(call(web.port, "DELETE", f"/api/jobs/{job.id}"), 409)


def test_a_running_job_is_marked_and_says_so(web: WebProcess, stage: Stage) -> None:
    job = stage.running("long")
    view = call(web.port, "DELETE", f"/api/jobs/{job.id}").json
    assert (view["state"], view["sentence"]) == ("running", "Being cancelled.")
    assert stage.store.get(job.id).cancel_requested


def test_the_output_is_read_by_offset_while_it_grows(web: WebProcess, stage: Stage) -> None:
    job = stage.running("talks")
    stage.print(job, "höher\n")
    path = f"/api/jobs/{job.id}/log"
    whole = call(web.port, "GET", path)
    assert whole.headers["content-type"].startswith("text/plain")
    assert int(whole.headers["x-log-size"]) == len(whole.body)
    stage.print(job, "weiter\n")
    assert call(web.port, "GET", f"{path}?from={len(whole.body)}").body == b"weiter\n"
    assert call(web.port, "GET", f"{path}?from=999999").body == b""


def test_results_exist_when_the_job_has_ended_and_not_before(web: WebProcess, stage: Stage) -> None:
    job = stage.running("swing-up")
    for name in ("result.json", "steps.csv", "bundle.zip"):
        assert "Ask again when it has ended" in problem(call(web.port, "GET", f"/api/jobs/{job.id}/{name}"), 409)
    stage.finish(job, steps=40)
    result = call(web.port, "GET", f"/api/jobs/{job.id}/result.json")
    assert set(result.json) == {"times", "obs", "actions", "costs", "stdout", "failed"}
    assert len(result.json["obs"]) == 40
    assert f'attachment; filename="{job.id}-result.json"' == result.headers["content-disposition"]
    assert call(web.port, "GET", f"/api/jobs/{job.id}/steps.csv").body.count(b"\n") == 41
    bundle = call(web.port, "GET", f"/api/jobs/{job.id}/bundle.zip")
    assert zipfile.ZipFile(io.BytesIO(bundle.body)).testzip() is None
    assert "no 'raas.db'" in problem(call(web.port, "GET", f"/api/jobs/{job.id}/raas.db"), 404)


def test_a_job_cancelled_in_the_queue_has_no_results(web: WebProcess, stage: Stage) -> None:
    job = stage.queued("gone")
    call(web.port, "DELETE", f"/api/jobs/{job.id}")
    assert "before it had results" in problem(call(web.port, "GET", f"/api/jobs/{job.id}/bundle.zip"), 409)


def test_a_link_in_the_results_is_not_followed(web: WebProcess, stage: Stage) -> None:
    job = stage.running("sly")
    stage.finish(job)
    target = stage.paths.attempt(job.id, 1) / "bundle.zip"
    target.unlink()
    target.symlink_to("/etc/passwd")
    assert call(web.port, "GET", f"/api/jobs/{job.id}/bundle.zip").status == 404


def test_the_queue_names_the_robots_job_first(web: WebProcess, stage: Stage) -> None:
    waiting = stage.queued("later")
    running = stage.running("now")
    queue = call(web.port, "GET", "/api/queue").json
    assert ([job["id"] for job in queue["active"]], [job["id"] for job in queue["waiting"]]) == (
        [running.id],
        [waiting.id],
    )
    assert queue["waiting"][0]["position"] == 1
    assert json.dumps(queue)


def test_jobs_are_found_by_text_and_state(stage: Stage, web: WebProcess) -> None:
    done = stage.finish(stage.running("Swing-up 100%"))
    waiting = stage.queued("LQR", source="https://example.org/lab/lqr_2.git", submitter="ben@127.0.0.1")

    def found(query: str) -> list[str]:
        return [job["id"] for job in call(web.port, "GET", f"/api/jobs?{query}").json["jobs"]]

    assert found("q=swing") == found("q=100%25") == found("state=succeeded") == found("state=ended") == [done.id]
    assert found("q=ben") == found("q=lqr_2") == found("state=open") == found("q=lqr&state=queued") == [waiting.id]
    assert found("q=nobody") == found("q=%25%25") == []
    assert found("q=_") == [waiting.id], "what means anything in SQL means itself here"
    assert call(web.port, "GET", "/api/jobs?state=odd").json["error"] == "bad_state"
    assert call(web.port, "GET", "/api/jobs?q=ben").json["total"] == 1


def test_ten_thousand_jobs_are_listed_within_a_tenth_of_a_second(stage: Stage, web: WebProcess) -> None:
    with sqlite3.connect(stage.paths.database) as rows:
        rows.executemany(
            "INSERT INTO job (id, queue_key, state, name, submitter, source_kind, source, submitted_at)"
            " VALUES (?, ?, 'succeeded', ?, 'anna@127.0.0.1', 'git', 'https://example.org/lab/pendulum.git', ?)",
            ((ulid.new(1.7e9 + k), 1.7e9 + k, f"attempt {k}", 1.7e9 + k) for k in range(10_000)),
        )
    middle = call(web.port, "GET", "/api/jobs?limit=500").json["next"]
    for path in ("/jobs", "/api/jobs", f"/jobs?before={middle}", "/api/jobs?q=attempt+9&state=ended"):
        times_s = []
        for _ in range(20):
            began_s = time.monotonic()
            assert call(web.port, "GET", path).status == 200
            times_s.append(time.monotonic() - began_s)
        assert statistics.median(times_s) <= 0.1, (path, times_s)
