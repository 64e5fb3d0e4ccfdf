"""The page Compare: which jobs it takes, and that its address is all it needs."""

from __future__ import annotations

import pytest

from tests.webui.http_calls import call
from tests.webui.stage import Stage, WebProcess

Shared = tuple[Stage, WebProcess]
PAGE = {"Accept": "text/html"}


def finished(stage: Stage, name: str) -> str:
    return stage.finish(stage.running(name), steps=20).id


def test_two_jobs_are_named_at_a_stable_address(shared: Shared) -> None:
    stage, web = shared
    first, second = finished(stage, "<b>PPO</b>"), finished(stage, "LQR")
    page = call(web.port, "GET", f"/compare?a={first}&b={second}", headers=PAGE).body.decode()
    assert page.count("data-dial") == 2
    assert "&lt;b&gt;PPO&lt;/b&gt;" in page
    assert page.index(f'href="/jobs/{first}"') < page.index(f'href="/jobs/{second}"')
    assert f'value="{second}" selected' in page


def test_with_one_job_the_other_is_asked_for(shared: Shared) -> None:
    stage, web = shared
    first, second = finished(stage, "one"), finished(stage, "other")
    page = call(web.port, "GET", f"/compare?a={first}", headers=PAGE).body.decode()
    assert f'value="{first}" selected' in page
    assert f'value="{second}" selected' in page
    assert "data-dial" not in page
    assert f'href="/compare?a={first}"' in call(web.port, "GET", f"/jobs/{first}", headers=PAGE).body.decode()


def test_a_job_is_compared_with_itself_if_one_wants_to(shared: Shared) -> None:
    stage, web = shared
    job = finished(stage, "same")
    assert call(web.port, "GET", f"/compare?a={job}&b={job}", headers=PAGE).status == 200


def test_jobs_without_results_and_ids_that_are_none_are_refused(shared: Shared) -> None:
    stage, web = shared
    waiting, done = stage.queued("waits").id, finished(stage, "ran")
    answer = call(web.port, "GET", f"/compare?a={done}&b={waiting}", headers=PAGE)
    assert answer.status == 409
    assert b"no results to compare" in answer.body
    for job_id in ("x", "../../etc/passwd", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "%00", "' OR 1=1"):
        assert call(web.port, "GET", f"/compare?a={job_id.replace(' ', '%20')}", headers=PAGE).status == 404


@pytest.mark.parametrize("query", ["", "?a=", "?c=1"])
def test_without_ids_it_says_what_to_do(shared: Shared, query: str) -> None:
    assert b"Choose two jobs" in call(shared[1].port, "GET", f"/compare{query}", headers=PAGE).body
