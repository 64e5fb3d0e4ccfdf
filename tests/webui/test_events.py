"""The event stream: news, resuming, many listeners."""

from __future__ import annotations

import math
import time

from tests.patience import eventually
from tests.webui.event_stream import Listener
from tests.webui.http_calls import call, post_json
from tests.webui.stage import Stage, WebProcess


def test_a_new_listener_hears_robot_and_queue_at_once(stage: Stage, web: WebProcess) -> None:
    job = stage.queued("waits")
    eventually(lambda: call(web.port, "GET", "/api/robot").json["queue_length"] == 1)
    with Listener(web.port) as listener:
        assert listener.response.headers["Content-Type"] == "text/event-stream"
        assert listener.next().kind == "robot"
        queue = listener.next()
        assert (queue.kind, queue.data["waiting"][0]["id"]) == ("queue", job.id)
        assert queue.id == str(stage.store.last_event())


def test_every_change_of_a_job_is_told_with_the_number_of_its_event(stage: Stage, web: WebProcess) -> None:
    with Listener(web.port) as listener:
        view = post_json(web.port, "/api/jobs", {"git_url": "https://example.org/a/b"}).json
        queued = listener.until("job", id=view["id"], state="queued")
        assert queued.id == str(stage.store.last_event())
        call(web.port, "DELETE", f"/api/jobs/{view['id']}")
        listener.until("job", id=view["id"], state="cancelled")


def test_growing_output_is_told_within_a_second(stage: Stage, web: WebProcess) -> None:
    job = stage.running("talks")
    with Listener(web.port) as listener:
        size = call(web.port, "GET", f"/api/jobs/{job.id}/log").headers["x-log-size"]
        printed_s = time.monotonic()
        stage.print(job, "one more line\n")
        listener.until("log", id=job.id, size=int(size) + len("one more line\n"))
        assert time.monotonic() - printed_s < 1.0


def test_the_robot_is_told_often_while_it_moves_and_seldom_while_it_rests(stage: Stage, web: WebProcess) -> None:
    def told(seconds: float) -> int:
        with Listener(web.port) as listener:
            listener.until("queue")
            end_s, count = time.monotonic() + seconds, 0
            while time.monotonic() < end_s:
                count += listener.next().kind == "robot"
        return count

    def hangs_still() -> bool:
        view = call(web.port, "GET", "/api/robot").json
        return abs(view["angle_rad"] - math.pi) < 5e-4 and abs(view["velocity_rad_s"]) < 5e-3

    eventually(hangs_still, 30.0)
    assert told(2.0) <= 5
    stage.running("moves")
    eventually(lambda: call(web.port, "GET", "/api/robot").json["state"] == "running")
    assert 12 <= told(2.0) <= 33


def test_what_was_missed_is_caught_up_after_the_last_number_heard(stage: Stage, web: WebProcess) -> None:
    stage.queued("known before")
    heard = stage.store.last_event()
    missed = stage.queued("queued meanwhile")
    stage.store.request_cancel(missed.id, time.time())
    with Listener(web.port, str(heard)) as listener:
        listener.until("robot")
        caught_up = listener.next()
        assert (caught_up.kind, caught_up.data["id"], caught_up.data["state"]) == ("job", missed.id, "cancelled")
        assert caught_up.id == str(heard + 2)
        assert listener.next().kind == "queue"


def test_a_number_that_is_no_longer_known_means_load_anew(stage: Stage, web: WebProcess) -> None:
    stage.queued("one")
    for last in ("999999", "77"):
        with Listener(web.port, last) as listener:
            listener.until("robot")
            assert listener.next().kind == "reload"


def test_nonsense_as_last_number_is_a_new_listener(web: WebProcess) -> None:
    for last in ("x", "-1", "9" * 400):
        with Listener(web.port, last) as listener:
            assert [listener.next().kind, listener.next().kind] == ["robot", "queue"]


def test_a_hundred_listeners_hear_everything(stage: Stage, web: WebProcess) -> None:
    stage.running("watched by many")
    listeners = [Listener(web.port) for _ in range(100)]
    try:
        jobs = [stage.queued(f"job {number}").id for number in range(5)]
        started_s = time.monotonic()
        assert call(web.port, "POST", "/api/robot/stop").json["stopped"]
        assert time.monotonic() - started_s < 1.0
        for listener in listeners:
            heard = {listener.until("job", id=job_id).data["id"] for job_id in jobs}
            assert heard == set(jobs)
            listener.until("robot", stopped=True)
    finally:
        for listener in listeners:
            listener.__exit__(None, None, None)
