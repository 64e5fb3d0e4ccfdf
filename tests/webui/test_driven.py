"""A run is drawn as the kind of robot that it was driven on, whichever one the appliance has now."""

from __future__ import annotations

import json

import pytest

from tests.webui.http_calls import Answer, call
from tests.webui.stage import Stage, WebProcess

Shared = tuple[Stage, WebProcess]


def driven_on(stage: Stage, kind: str) -> str:
    """A finished job whose report names that kind."""
    job = stage.finish(stage.running(f"on a {kind}"), steps=5)
    report = stage.paths.attempt(job.id, 1) / "report.json"
    report.write_text(json.dumps(json.loads(report.read_text()) | {"robot_kind": kind}))
    return job.id


def page(web: WebProcess, path: str) -> Answer:
    return call(web.port, "GET", path, headers={"Accept": "text/html"})


@pytest.mark.parametrize(("kind", "unit"), [("cart", "cm"), ("pendulum", "°")])
def test_a_job_s_page_has_the_kind_of_its_report(shared: Shared, kind: str, unit: str) -> None:
    stage, web = shared
    text = page(web, f"/jobs/{driven_on(stage, kind)}").body.decode()
    assert text.count("data-kind=") == text.count(f'data-kind="{kind}"') == 2
    assert f'data-unit="{unit}"' in text


@pytest.mark.parametrize("kind", ["", "walker", "../x", "<b>"])
def test_a_kind_that_nobody_can_draw_is_drawn_as_the_present_one(shared: Shared, kind: str) -> None:
    stage, web = shared
    answer = page(web, f"/jobs/{driven_on(stage, kind)}")
    assert answer.status == 200
    assert b'data-kind="pendulum"' in answer.body


def test_a_broken_report_costs_nobody_the_page(shared: Shared) -> None:
    stage, web = shared
    job_id = driven_on(stage, "cart")
    (stage.paths.attempt(job_id, 1) / "report.json").write_bytes(b"\xff[")
    assert page(web, f"/jobs/{job_id}").status == 200


def test_jobs_of_one_kind_are_compared_as_that_kind_and_of_two_not_at_all(shared: Shared) -> None:
    stage, web = shared
    cart, other, pendulum = driven_on(stage, "cart"), driven_on(stage, "cart"), driven_on(stage, "pendulum")
    assert page(web, f"/compare?a={cart}&b={other}").body.count(b'data-kind="cart"') == 2
    mixed = page(web, f"/compare?a={cart}&b={pendulum}")
    assert mixed.status == 409
    assert b"driven on a cart and a pendulum" in mixed.body
