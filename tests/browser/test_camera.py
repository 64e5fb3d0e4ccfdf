"""The camera in a real browser: live beside the robot, along the slider of a run, and in words when there is nothing to see."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import DESKTOP, PHONE, Watcher
from tests.browser.test_accessibility import AXE, FINDINGS
from tests.camera.lookout import looked_through
from tests.camera.mjpeg_server import camera, head, jpeg, sends, ustreamer
from tests.patience import eventually
from tests.webui.conftest import set_stage
from tests.webui.http_calls import call
from tests.webui.stage import Stage, WebProcess

#: What the picture shows.
DRAWN = 'document.querySelector("[data-camera-picture]").toDataURL()'


@pytest.fixture
def stage() -> Iterator[Stage]:
    with set_stage("camera: {url: test}\n") as stage, looked_through(stage):
        yield stage


def filmed(stage: Stage, web: WebProcess) -> str:
    """A job with a recording; returns its address."""
    job = stage.running("filmed")
    eventually(lambda: len(call(web.port, "GET", f"/api/jobs/{job.id}/camera").json["times_s"]) > 20, what="recorded")
    stage.finish(job, steps=60)
    return f"/jobs/{job.id}"


def test_the_picture_moves_with_the_robot(stage: Stage, page: Page) -> None:
    stage.running("drives")
    page.goto("/")
    expect(page.locator("[data-camera-picture]")).to_be_visible()
    first = page.evaluate(DRAWN)
    eventually(lambda: page.evaluate(DRAWN) != first, what="another picture")


def test_the_recording_follows_the_slider(stage: Stage, web: WebProcess, page: Page) -> None:
    page.goto(filmed(stage, web))
    expect(page.locator("[data-camera-picture]")).to_be_visible()
    first = page.evaluate(DRAWN)
    page.get_by_role("slider", name="Time in the run").fill("1.5")
    eventually(lambda: page.evaluate(DRAWN) != first, what="another picture")
    with page.expect_download() as download:
        page.get_by_role("link", name="Recording").click()
    assert download.value.suggested_filename.endswith(".mjpeg")


@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_the_pages_look_well_and_keep_nobody_out(
    stage: Stage, web: WebProcess, browser: Browser, watcher: Watcher, screenshots: Path, size: str
) -> None:
    context = browser.new_context(
        base_url=web.url, viewport=PHONE if size == "phone" else DESKTOP, reduced_motion="reduce", bypass_csp=True
    )
    watcher.watch(context)
    page = context.new_page()
    for name, path in (("job", filmed(stage, web)), ("robot", "/")):
        page.goto(path)
        expect(page.locator("[data-camera-picture]")).to_be_visible()
        page.add_script_tag(path=AXE)
        assert page.evaluate(FINDINGS) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
        page.screenshot(path=screenshots / f"camera-{name}-{size}.png", full_page=True)
    context.close()


def test_a_camera_that_ends_is_told_and_comes_back(browser: Browser) -> None:
    stay, pictures = threading.Event(), ustreamer([jpeg("red")])
    with camera(sends(head(), pictures, stay=stay)) as url, set_stage(f"camera: {{url: '{url}'}}\n") as stage:
        with stage.serve() as web, looked_through(stage):
            page = browser.new_page(base_url=web.url)
            page.goto("/")
            expect(page.locator("[data-camera-picture]")).to_be_visible()
            expect(page.locator("[data-camera-says]")).to_contain_text("sent nothing for 5 s")
            expect(page.locator("[data-camera-picture]")).to_be_hidden()
            expect(page.locator("[data-camera-picture]")).to_be_visible()  # it was asked again, and sends one more
            page.close()
        stay.set()
