"""The Robot page in a real browser: it moves, it stops, it notices when the appliance is gone."""

from __future__ import annotations

import signal
import time
from itertools import pairwise

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from appliance.realtime.control import Stop
from tests.browser.conftest import Watcher, connected
from tests.patience import eventually
from tests.webui.stage import Stage, WebProcess

#: Samples come 15 times a second.
SAMPLE_MS = 1000 / 15
#: As long as the issue asks that a page lives without its stream.
CUT_S = 30.0


def arm(page: Page) -> str:
    return page.locator("[data-arm]").get_attribute("transform") or ""


def test_the_pendulum_is_seen_moving_and_the_page_says_who_drives(stage: Stage, page: Page) -> None:
    job = stage.running("LQR")
    page.goto("/")
    expect(page.get_by_text("“LQR” is driving.")).to_be_visible()
    expect(page.get_by_role("link", name="Watch this job")).to_have_attribute("href", f"/jobs/{job.id}")
    positions = {(page.wait_for_timeout(120), arm(page))[1] for _ in range(12)}
    assert len(positions) > 3
    assert page.locator("[data-strip] canvas").count() == 3
    expect(page.get_by_text("1000.0 of 1000 Hz, 0 missed, worst tick 212 µs")).to_be_visible()


def test_the_motion_is_drawn_between_the_samples(stage: Stage, page: Page) -> None:
    stage.running("swings")
    page.goto("/")
    expect(page.get_by_text("“swings” is driving.")).to_be_visible()
    drawn = page.evaluate(
        """async () => {
            const arm = document.querySelector("[data-arm]"), drawn = [], from = performance.now();
            while (drawn.length < 20 || performance.now() - from < 1500) {
                const at = await new Promise(requestAnimationFrame);
                drawn.push([at, arm.getAttribute("transform")]);
            }
            return drawn;
        }"""
    )
    # Judged by their times, because a busy machine draws fewer: pictures much closer than the samples differ, too.
    pairs = [(before, after) for (t0_ms, before), (t1_ms, after) in pairwise(drawn) if t1_ms - t0_ms < SAMPLE_MS / 2]
    assert not pairs or sum(before != after for before, after in pairs) > 0.5 * len(pairs)
    assert len({position for _, position in drawn}) > 0.5 * len(drawn), "each picture shows another moment"


def test_stop_acts_at_once_and_says_so_and_resume_undoes_it(stage: Stage, page: Page) -> None:
    stage.running("runs")
    page.goto("/")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("alert")).to_contain_text("Emergency stop by anonymous@127.0.0.1")
    assert stage.guard.asked == [Stop(who="anonymous@127.0.0.1", why="")]
    expect(page.get_by_role("button", name="Stopped")).to_be_visible()
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("alert")).to_be_hidden()


def test_escape_pressed_twice_stops_and_once_does_not(stage: Stage, page: Page) -> None:
    for path in ("/", "/submit", "/jobs"):
        page.goto(path)
        expect(page.locator("html.has-script")).to_be_attached()
        page.keyboard.press("Escape")
        page.wait_for_timeout(900)
        page.keyboard.press("a")
        asked = len(stage.guard.asked)
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        eventually(lambda known=asked: len(stage.guard.asked) == known + 1)


def test_stop_works_without_scripts(stage: Stage, web: WebProcess, context: BrowserContext) -> None:
    browser = context.browser
    assert browser is not None
    plain = browser.new_context(base_url=web.url, java_script_enabled=False)
    page = plain.new_page()
    stage.running("plain")
    page.goto("/jobs")
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Emergency stop by")).to_have_count(2)
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    plain.close()


def test_a_stop_made_elsewhere_is_shown_on_every_page(stage: Stage, page: Page) -> None:
    page.goto("/submit")
    connected(page)
    stage.guard.reply = type(stage.guard.reply)(state="stopped", stopped=True, stop_who="ben", stop_why="button")
    expect(page.get_by_role("alert")).to_contain_text("Emergency stop by ben: button.")


def test_the_queue_changes_by_itself(stage: Stage, page: Page) -> None:
    page.goto("/")
    expect(page.get_by_text("Nobody waits.")).to_be_visible()
    job = stage.queued("newcomer")
    expect(page.locator("[data-queue] li")).to_have_count(1)
    expect(page.locator("[data-queue]")).to_contain_text("newcomer")
    stage.store.request_cancel(job.id, time.time())
    expect(page.get_by_text("Nobody waits.")).to_be_visible()


def test_a_lost_connection_is_said_and_what_was_missed_is_caught_up(
    stage: Stage, web: WebProcess, page: Page, watcher: Watcher
) -> None:
    watcher.expected |= {"Failed to load resource", "ERR_", "net::"}
    page.goto("/jobs")
    connected(page)
    port = str(web.port)
    web.__exit__()
    expect(page.get_by_text("Connection lost.")).to_be_visible()
    job = stage.queued("while you were away")
    with stage.serve("--port", port):
        expect(page.get_by_text("while you were away")).to_be_visible()
        expect(page.get_by_text("Connection lost.")).to_be_hidden()
        stage.store.request_cancel(job.id, time.time())
        expect(page.locator("[data-state=cancelled]")).to_be_visible()


@pytest.mark.slow
def test_a_stream_that_is_silent_for_half_a_minute_is_said_and_caught_up(
    stage: Stage, web: WebProcess, page: Page
) -> None:
    """The process is halted, so that connections stay and nothing comes: what a dead network looks like."""
    page.goto("/jobs")
    connected(page)
    page.evaluate("document.title = 'the same page as before'")
    web.process.send_signal(signal.SIGSTOP)
    try:
        halted_s = time.monotonic()
        expect(page.get_by_text("Connection lost.")).to_be_visible()
        job = stage.queued("while it was silent")
        page.wait_for_timeout(max(0.0, CUT_S - (time.monotonic() - halted_s)) * 1e3)
        expect(page.get_by_text("Connection lost.")).to_be_visible()
    finally:
        web.process.send_signal(signal.SIGCONT)
    expect(page.get_by_text("while it was silent")).to_be_visible()
    expect(page.get_by_text("Connection lost.")).to_be_hidden()
    stage.store.request_cancel(job.id, time.time())
    expect(page.locator("[data-state=cancelled]")).to_be_visible()
    assert page.title() == "the same page as before", "caught up, not loaded anew"
