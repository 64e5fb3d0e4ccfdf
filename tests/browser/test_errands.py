"""What the page asks the runner for, in a real browser: a look at a repository, a GIF; and a name on the leaderboard."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from appliance import config as configuration
from appliance.errands.workers import Workers
from tests.servers import git_server
from tests.servers.git_server import GitServer, publish
from tests.webui.conftest import set_stage
from tests.webui.stage import Stage
from tests.webui.test_leaderboard import did_it


@pytest.fixture
def stage() -> Iterator[Stage]:
    """One whose runner performs errands, and looks at repositories on this machine."""
    with set_stage("fetch: {allow_http: true, allow_private: true}\n") as stage:
        stopping = threading.Event()
        threads = Workers(stage.paths, configuration.load(stage.paths.config), stopping).start()
        yield stage
        stopping.set()
        for thread in threads:
            thread.join()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    publish(tmp_path, "good.git", {"run.py": "import gym_raas\n"})
    publish(tmp_path, "bad.git", {"main.py": "import gym_raas\n"})
    with git_server.serve(tmp_path) as running:
        yield running


def test_an_address_is_judged_while_it_is_typed(stage: Stage, page: Page, server: GitServer) -> None:
    page.goto("/submit")
    stage.store.set_fact("runner_heartbeat", str(time.time()), time.time())
    field, seen = page.locator("#git_url"), page.locator("[data-seen]")
    field.fill(server.url("good.git"))
    expect(seen).to_contain_text("Ready: run.py on branch main")
    field.fill(server.url("bad.git"))
    expect(seen).to_contain_text("no run.py at its top (found: main.py)")
    expect(seen).to_have_attribute("data-verdict", "bad")
    field.fill("")
    expect(seen).to_have_text("")


def test_a_gif_is_made_on_request_and_its_link_offered(stage: Stage, page: Page) -> None:
    job = stage.finish(stage.running("swings"), steps=10)
    page.goto(f"/jobs/{job.id}")
    page.get_by_role("button", name="Make a GIF").click()
    link = page.get_by_role("link", name="Open the GIF")
    link.wait_for(timeout=120_000)
    expect(link).to_have_attribute("href", f"/jobs/{job.id}/run.gif")
    expect(page.get_by_role("button", name="Make a GIF")).to_be_hidden()


def test_a_run_is_listed_from_its_page(stage: Stage, page: Page) -> None:
    page.goto("/")
    job = did_it(stage, -612.5)
    page.goto(f"/jobs/{job.id}")
    page.get_by_label("Name on the leaderboard").fill("Ada")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Name on the leaderboard")).to_have_value("Ada")
    page.get_by_role("link", name="See it").click()
    expect(page.get_by_role("row").filter(has_text="Ada")).to_contain_text("−612.5")
