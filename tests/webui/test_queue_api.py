"""The owner's hand on the queue, and what a job may choose, over HTTP."""

from __future__ import annotations

import time

import msgspec
import pytest

from appliance import facts
from appliance.jobs import State
from appliance.running import retention
from appliance.shapes import JobView, Problem, QueueView
from tests.webui.http_calls import call, post_form, post_json
from tests.webui.stage import Stage, WebProcess

Shared = tuple[Stage, WebProcess]
GIT = {"git_url": "https://example.org/lab/pendulum.git"}


def submitted(web: WebProcess, **more: object) -> JobView:
    return msgspec.json.decode(post_json(web.port, "/api/jobs", {**GIT, **more}).body, type=JobView)


def queue(web: WebProcess) -> QueueView:
    return msgspec.json.decode(call(web.port, "GET", "/api/queue").body, type=QueueView)


def test_the_owner_pauses_the_queue_and_lets_it_go_on(shared: Shared) -> None:
    stage, web = shared
    assert msgspec.json.decode(post_json(web.port, "/api/queue/pause", {}).body, type=QueueView).paused_by == "owner"
    assert stage.store.fact(facts.QUEUE_PAUSED) == facts.PAUSED_BY_OWNER
    assert b"Go on" in call(web.port, "GET", "/").body
    assert not msgspec.json.decode(post_json(web.port, "/api/queue/resume", {}).body, type=QueueView).paused


def test_only_the_robots_resume_ends_the_pause_of_an_emergency_stop(shared: Shared) -> None:
    stage, web = shared
    stage.store.set_fact(facts.QUEUE_PAUSED, facts.PAUSED_BY_STOP, time.time())
    answer = post_json(web.port, "/api/queue/resume", {})
    assert (answer.status, "Resume the robot" in answer.body.decode()) == (409, True)
    stage.store.set_fact(facts.QUEUE_PAUSED, "", time.time())


def test_a_waiting_job_is_moved_to_where_the_owner_wants_it(shared: Shared) -> None:
    _, web = shared
    ids = [submitted(web).id for _ in range(3)]
    moved = post_json(web.port, f"/api/jobs/{ids[2]}/move", {"position": 1})
    assert msgspec.json.decode(moved.body, type=JobView).position == min(v.position or 99 for v in queue(web).waiting)
    assert queue(web).waiting[0].id == ids[2]
    assert call(web.port, "POST", f"/jobs/{ids[1]}/next").status == 303
    assert queue(web).waiting[0].id == ids[1]


@pytest.mark.parametrize("body", [{"position": 0}, {"position": "1"}, {}, {"position": 1, "x": 2}, [1]])
def test_an_impossible_place_is_refused_with_an_example(shared: Shared, body: object) -> None:
    _, web = shared
    answer = post_json(web.port, f"/api/jobs/{submitted(web).id}/move", body)
    assert answer.status == 400
    assert '{"position": 1}' in msgspec.json.decode(answer.body, type=Problem).message


def test_results_are_pinned_and_let_go(shared: Shared) -> None:
    stage, web = shared
    job = submitted(web)
    assert msgspec.json.decode(post_json(web.port, f"/api/jobs/{job.id}/pin", {}).body, type=JobView).pinned
    assert stage.store.get(job.id).pinned
    assert call(web.port, "POST", f"/jobs/{job.id}/unpin").status == 303
    assert not stage.store.get(job.id).pinned


def test_a_job_chooses_among_the_images_that_are_there(shared: Shared) -> None:
    stage, web = shared
    for name in ("standard", "large"):
        path = stage.paths.image_packages(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode({"numpy": "2.0", f"only-{name}": "1"}))
    assert [entry["name"] for entry in msgspec.json.decode(call(web.port, "GET", "/api/images").body)] == [
        "standard",
        "large",
    ]
    assert submitted(web, image="large").image == "large"
    assert submitted(web).image == "standard"
    answer = post_json(web.port, "/api/jobs", {**GIT, "image": "../../etc"})
    assert answer.status == 400
    assert "Choose standard or large" in msgspec.json.decode(answer.body, type=Problem).message
    form = post_form(web.port, {"image": "large", "preflight": "yes"}, ("a.zip", b"PK"))
    view = msgspec.json.decode(form.body, type=JobView)
    assert (view.image, view.preflight) == ("large", True)
    page = call(web.port, "GET", "/submit").body.decode()
    assert "only-large" in page
    assert '<option value="large">' in page


def test_notes_are_shown_as_text(shared: Shared) -> None:
    stage, web = shared
    job = submitted(web)
    stage.store.annotate(job.id, ["LFS files are not fetched.", "<b>odd</b>\nname"], time.time())
    assert msgspec.json.decode(call(web.port, "GET", f"/api/jobs/{job.id}").body, type=JobView).notes == [
        "LFS files are not fetched.", "<b>odd</b> name",
    ]  # fmt: skip
    page = call(web.port, "GET", f"/jobs/{job.id}").body.decode()
    assert "<li>LFS files are not fetched.</li>" in page
    assert "&lt;b&gt;odd" in page
    assert stage.store.get(job.id).state is State.QUEUED


def test_of_a_cleared_job_the_report_stays_and_the_rest_is_said_to_be_gone(shared: Shared) -> None:
    stage, web = shared
    job = stage.running("old", 3.0)
    stage.finish(job, steps=60)
    assert stage.store.clear(job.id, time.time())
    retention.discard(stage.store.get(job.id), stage.paths)
    view = msgspec.json.decode(call(web.port, "GET", f"/api/jobs/{job.id}").body, type=JobView)
    assert (view.state, view.has_bundle, view.steps) == ("succeeded", False, 60)
    assert "were cleared on" in view.notes[-1]
    gone = call(web.port, "GET", f"/api/jobs/{job.id}/bundle.zip")
    assert (gone.status, b"make room" in gone.body) == (410, True)
    assert call(web.port, "GET", f"/api/jobs/{job.id}/report.json").status == 200
