"""The whole appliance in a real browser: a folder is submitted, the robot is watched, the data are looked at and saved."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from appliance.jobs import State
from tests.appliance_process import Appliance, running_appliance
from tests.browser.conftest import DESKTOP, PHONE, Watcher

STEPS = 120
PROGRAM = f"""
import gym, gym_raas
env = gym.make('raaspendulum-v0')
env.reset()
for k in range({STEPS}):
    obs, reward, done, info = env.step([2.0 if k % 24 < 12 else -2.0])
    print('step', k, 'reward', reward, flush=True)
env.close()
"""


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    with running_appliance(tmp_path_factory.mktemp("appliance"), "name: test robot\n") as started:
        yield started


@pytest.fixture
def page(appliance: Appliance, browser: Browser) -> Iterator[Page]:
    watcher = Watcher(appliance.url.removeprefix("http://"))
    context = browser.new_context(base_url=appliance.url, viewport=DESKTOP)
    context.set_default_timeout(60_000)
    watcher.watch(context)
    yield context.new_page()
    context.close()
    assert watcher.complaints == []


def submit(page: Page, folder: Path, program: str, name: str) -> str:
    """Submit a folder in the page; returns the job's id once its page is open."""
    folder.mkdir()
    (folder / "run.py").write_text(program)
    page.goto("/submit")
    page.locator("#folder").set_input_files(folder)
    page.locator("#archive_name").fill(name)
    page.get_by_role("button", name="Submit files").click()
    page.wait_for_url(re.compile(r"/jobs/[0-9A-Z]{26}$"))
    return page.url.rsplit("/", 1)[1]


def both_sizes(page: Page, folder: Path, name: str) -> None:
    """Pictures for whoever wants to look."""
    for size, viewport in (("phone", PHONE), ("desktop", DESKTOP)):
        page.set_viewport_size(viewport)
        page.wait_for_timeout(200)
        page.screenshot(path=folder / f"end-to-end-{name}-{size}.png")


def test_a_submitted_folder_drives_the_robot_and_its_data_are_seen(
    appliance: Appliance, page: Page, screenshots: Path, tmp_path: Path
) -> None:
    job_id = submit(page, tmp_path / "mine", PROGRAM, "To and fro")
    expect(page.locator("[data-job-state]")).to_have_text("Running", timeout=60_000)
    arm = page.locator("[data-live] [data-arm]")
    before = arm.get_attribute("transform")
    expect(page.get_by_role("log")).to_contain_text("step 3 reward")
    expect(arm).not_to_have_attribute("transform", before or "")
    both_sizes(page, screenshots, "running")

    expect(page.locator("[data-job-state]")).to_have_text("Succeeded", timeout=60_000)
    expect(page.locator("[data-plot] canvas")).to_have_count(4)
    expect(page.get_by_role("log")).to_contain_text(f"step {STEPS - 1} reward")
    expect(page.locator("[data-fact=steps]")).to_have_text(str(STEPS))
    arm, slider = page.locator("[data-result] [data-arm]"), page.get_by_role("slider", name="Time in the run")
    before = arm.get_attribute("transform")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 12, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] / 2, steps=8)
    page.mouse.up()
    expect(arm).not_to_have_attribute("transform", before or "")
    both_sizes(page, screenshots, "done")

    with page.expect_download() as download:
        page.get_by_role("link", name="JSON").click()
    download.value.save_as(tmp_path / "result.json")
    result = json.loads((tmp_path / "result.json").read_text())
    assert set(result) == {"times", "obs", "actions", "costs", "stdout", "failed"}
    assert len(result["obs"]) == STEPS
    assert appliance.client.job(job_id).state == State.SUCCEEDED


def test_stop_in_the_page_ends_a_running_job_and_resume_lets_the_next_one_run(
    appliance: Appliance, page: Page, screenshots: Path, tmp_path: Path
) -> None:
    endless = PROGRAM.replace(f"range({STEPS})", "range(100000)")
    stopped_id = submit(page, tmp_path / "endless", endless, "Never ends")
    expect(page.get_by_role("log")).to_contain_text("step 3 reward", timeout=60_000)
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("alert")).to_contain_text("Emergency stop by")
    expect(page.locator("[data-job-state]")).to_have_text("Cancelled", timeout=60_000)
    both_sizes(page, screenshots, "stopped")
    assert appliance.client.job(stopped_id).reason == "emergency_stop"
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("alert")).to_be_hidden()
    next_id = submit(page, tmp_path / "next", PROGRAM.replace(str(STEPS), "5"), "After the stop")
    expect(page.locator("[data-job-state]")).to_have_text("Succeeded", timeout=90_000)
    assert appliance.client.job(next_id).state == State.SUCCEEDED
