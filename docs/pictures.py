"""Make the pictures of README and guides from the real thing: `python docs/pictures.py`."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from appliance.jobs import State
from tests.appliance_process import Appliance, running_appliance

HERE = Path(__file__).parent
CHROMIUM = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


def main() -> None:
    """Run the sample job on an appliance of its own and photograph the pages."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_appliance(Path(folder), sample=True) as appliance,
        sync_playwright() as play,
    ):
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=list(CHROMIUM))
        page = browser.new_page(viewport={"width": 1180, "height": 840})
        sample = appliance.client.jobs().jobs[0].id
        page.goto(appliance.url)
        appliance.reaches(sample, State.RUNNING)
        time.sleep(6.0)  # until the arm is up
        page.screenshot(path=HERE / "robot.png")
        _photograph_result(page, appliance, sample)


def _photograph_result(page: Page, appliance: Appliance, job: str) -> None:
    appliance.finished(job)
    page.goto(f"{appliance.url}/jobs/{job}")
    page.wait_for_selector(".uplot")
    time.sleep(1.0)
    page.screenshot(path=HERE / "job.png")


if __name__ == "__main__":
    main()
