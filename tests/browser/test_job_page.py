"""The page of a job in a real browser: output as it is printed, plots, slider, downloads."""

from __future__ import annotations

import json
import time
from pathlib import Path

from playwright.sync_api import Page, expect

from appliance.jobs import Reason, State
from tests.patience import eventually
from tests.webui.stage import TRACEBACK, Stage


def test_a_printed_line_is_on_the_page_within_a_second(stage: Stage, page: Page) -> None:
    job = stage.running("talks")
    page.goto(f"/jobs/{job.id}")
    expect(page.get_by_role("log")).to_contain_text("swing-up: connected to the robot")
    delays_s = []
    for number in range(5):
        printed_s = time.monotonic()
        stage.print(job, f"a new line {number}\n")
        page.get_by_text(f"a new line {number}").wait_for()
        delays_s.append(time.monotonic() - printed_s)
    assert sorted(delays_s)[1] < 1.0, "a busy machine may be late now and then, not as a rule"


def test_a_running_job_shows_progress_and_the_moving_pendulum(stage: Stage, page: Page) -> None:
    job = stage.running("runs")
    page.goto(f"/jobs/{job.id}")
    expect(page.locator("[data-progress] [data-left]")).to_contain_text("left")
    before = page.locator("[data-live] [data-arm]").get_attribute("transform")
    expect(page.locator("[data-live] [data-arm]")).not_to_have_attribute("transform", before or "")
    expect(page.locator("[data-result]")).to_be_hidden()


def test_plots_appear_by_themselves_when_the_job_ends(stage: Stage, page: Page) -> None:
    job = stage.running("ends")
    page.goto(f"/jobs/{job.id}")
    expect(page.locator("[data-live]")).to_be_visible()
    stage.finish(job, steps=200)
    expect(page.get_by_text("Succeeded")).to_be_visible()
    expect(page.locator("[data-plot] canvas")).to_have_count(4)
    expect(page.locator("[data-live]")).to_be_hidden()
    expect(page.get_by_role("button", name="Cancel job")).to_be_hidden()
    expect(page.locator("[data-fact=steps]")).to_have_text("200")


def cursors(page: Page) -> list[str]:
    return page.evaluate("[...document.querySelectorAll('.u-cursor-x')].map((each) => each.style.transform)")


def test_the_slider_moves_the_pendulum_and_all_cursors(stage: Stage, page: Page) -> None:
    job = stage.running("done")
    stage.finish(job, steps=400)
    page.goto(f"/jobs/{job.id}")
    expect(page.locator("[data-plot] canvas")).to_have_count(4)
    slider, arm = page.get_by_role("slider", name="Time in the run"), page.locator("[data-result] [data-arm]")
    before, cursors_before = arm.get_attribute("transform"), cursors(page)
    box = slider.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 12, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.08, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    expect(arm).not_to_have_attribute("transform", before or "")
    after = cursors(page)
    assert len(after) == 4
    assert len(set(after)) == 1
    assert after != cursors_before
    slider.press("ArrowRight")
    page.get_by_role("button", name="Play").click()
    page.wait_for_timeout(400)
    page.get_by_role("button", name="Pause").click()
    assert cursors(page) != after


def test_pointing_at_a_plot_chooses_the_time(stage: Stage, page: Page) -> None:
    job = stage.running("done")
    stage.finish(job, steps=400)
    page.goto(f"/jobs/{job.id}")
    over = page.locator("[data-plot=cost] .u-over")
    box = over.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
    assert 9.0 < float((page.locator("[data-moment]").text_content() or "").split()[0]) < 11.0


def test_downloads_are_what_the_appliance_recorded(stage: Stage, page: Page, tmp_path: Path) -> None:
    job = stage.running("done")
    stage.finish(job, steps=50)
    page.goto(f"/jobs/{job.id}")
    for label, name in (("JSON", "result.json"), ("CSV", "steps.csv"), ("ZIP bundle", "bundle.zip")):
        with page.expect_download() as started:
            page.get_by_role("link", name=label).click()
        assert started.value.suggested_filename == f"{job.id}-{name}"
        started.value.save_as(tmp_path / name)
    assert len(json.loads((tmp_path / "result.json").read_text())["times"]) == 50


def test_what_a_job_prints_is_shown_as_text_and_never_obeyed(stage: Stage, page: Page) -> None:
    job = stage.running("<img src=x onerror=alert(1)>")
    stage.print(job, TRACEBACK)
    stage.print(job, "<script>document.title='owned'</script><img src=/x onerror=alert(1)>\n")
    stage.print(job, "\x1b]0;title\x07\x1b[2J\x1b[31mred\x1b[0m \x1b[38;5;9mother\x1b[0m\x07\n50 %\r100 %\nlast\x1b[")
    page.goto(f"/jobs/{job.id}")
    log = page.get_by_role("log")
    expect(log).to_contain_text("<script>document.title='owned'</script><img src=/x onerror=alert(1)>")
    expect(log.locator(".f1", has_text="red")).to_have_text("red")
    expect(log).to_contain_text("red other\n100 %\nlast")
    expect(log.locator("img, script")).to_have_count(0)
    assert "owned" not in page.title()
    assert "50 %" not in (log.text_content() or "")
    expect(page.get_by_role("heading", level=1)).to_have_text("<img src=x onerror=alert(1)>")


def test_the_output_is_cut_at_a_mebibyte(stage: Stage, page: Page) -> None:
    job = stage.running("floods")
    stage.print(job, ("x" * 99 + "\n") * 20_000)
    page.goto(f"/jobs/{job.id}")
    expect(page.get_by_role("log")).to_contain_text("the page shows the first MiB")
    assert len(page.get_by_role("log").text_content() or "") < 2**20 + 5000


def test_following_stops_when_somebody_scrolls_up(stage: Stage, page: Page) -> None:
    job = stage.running("long")
    stage.print(job, "".join(f"line {number}\n" for number in range(500)))
    page.goto(f"/jobs/{job.id}")
    log, follow = page.get_by_role("log"), page.get_by_role("checkbox", name="Follow")
    expect(log).to_contain_text("line 499")
    from_end = "(log) => log.scrollHeight - log.clientHeight - log.scrollTop"
    eventually(lambda: log.evaluate(from_end) < 2, what="at the end")  # it follows in the next frame
    log.hover()
    page.mouse.wheel(0, -600)
    expect(follow).not_to_be_checked()
    stage.print(job, "the newest\n")
    expect(log).to_contain_text("the newest")
    assert log.evaluate(from_end) > 100
    follow.check()
    eventually(lambda: log.evaluate(from_end) < 2, what="at the end")


def test_a_job_is_cancelled_from_its_page(stage: Stage, page: Page) -> None:
    job = stage.queued("unwanted")
    page.goto(f"/jobs/{job.id}")
    page.get_by_role("button", name="Cancel job").click()
    expect(page.locator("[data-job-state]")).to_have_text("Cancelled")
    assert stage.store.get(job.id).state is State.CANCELLED


def test_a_second_attempt_shows_its_own_output(stage: Stage, page: Page) -> None:
    job = stage.running("twice")
    page.goto(f"/jobs/{job.id}")
    expect(page.get_by_role("log")).to_contain_text("connected to the robot")
    stage.store.move(job.id, State.QUEUED, time.time(), Reason.INTERRUPTED, "The power failed.", attempt=2)
    for state in (State.PREPARING, State.WAITING_FOR_ROBOT, State.RUNNING):
        stage.store.move(job.id, state, time.time(), started_at=time.time())
    again = stage.store.get(job.id)
    stage.paths.attempt(job.id, 2).mkdir()
    stage.print(again, "second time\n")
    expect(page.get_by_role("log")).to_have_text("second time\n")
    expect(page.locator("[data-fact=attempt]")).to_have_text("2")


def test_times_are_in_the_viewers_zone(stage: Stage, page: Page) -> None:
    stage.queued("when")
    page.goto("/jobs")
    utc = page.locator("time").get_attribute("datetime")
    shown = page.evaluate(
        "(text) => new Date(text).toLocaleTimeString('en-GB', {hour: '2-digit', minute: '2-digit'})", utc
    )
    expect(page.locator(".job-row time")).to_contain_text(shown)
    assert page.evaluate("Intl.DateTimeFormat().resolvedOptions().timeZone") in ("Asia/Kolkata", "Asia/Calcutta")


def test_without_scripts_a_job_can_still_be_read(stage: Stage, page: Page) -> None:
    job = stage.running("plain")
    stage.print(job, "\x1b[31m<b>red</b>\x1b[0m\n")
    browser = page.context.browser
    assert browser is not None
    plain = browser.new_context(java_script_enabled=False)
    reader = plain.new_page()
    page.goto("/")
    reader.goto(f"{page.url}jobs/{job.id}")
    expect(reader.get_by_role("log")).to_contain_text("<b>red</b>")
    expect(reader.get_by_text("run.py is driving the robot.")).to_be_visible()
    plain.close()


def test_a_text_is_found_in_the_output_and_enter_goes_to_the_next(stage: Stage, page: Page) -> None:
    job = stage.running("talks")
    stage.print(job, "".join(f"step {k} \x1b[31m{'needle' if k % 100 == 7 else 'hay'}\x1b[0m\n" for k in range(400)))
    page.goto(f"/jobs/{job.id}")
    expect(page.get_by_role("log")).to_contain_text("step 399")
    field = page.get_by_role("searchbox", name="Search in the output")
    field.fill("NEEDLE")
    expect(page.get_by_text("1 of 4")).to_be_visible()
    place = page.get_by_role("log").evaluate("(log) => log.scrollTop")
    field.press("Enter")
    expect(page.get_by_text("2 of 4")).to_be_visible()
    assert page.get_by_role("log").evaluate("(log) => log.scrollTop") > place
    stage.print(job, "one more needle\n")
    expect(page.get_by_text("2 of 5")).to_be_visible()


def test_an_ended_job_shows_its_timing_and_can_be_run_again(stage: Stage, page: Page) -> None:
    job = stage.finish(stage.running("Swing-up"))
    page.goto(f"/jobs/{job.id}")
    expect(page.get_by_text("How late 60,000 ticks began; 0 missed")).to_be_visible()
    expect(page.get_by_role("meter")).to_have_count(7)
    page.get_by_role("link", name="Run again").click()
    expect(page.locator("#git_url")).to_have_value(job.source)
    expect(page.locator("#git_name")).to_have_value("Swing-up")
