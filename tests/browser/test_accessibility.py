"""axe-core over every page, phone and desktop, light and dark: no serious or critical finding; and the keyboard alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from appliance.jobs import State
from tests.browser.conftest import DESKTOP, PHONE, Watcher
from tests.webui.stage import Stage, WebProcess, furnish

AXE = Path(__file__).parents[2] / ".cache/front_end/node_modules/axe-core/axe.min.js"
OWNERS = ("", "/welcome", "/settings", "/people", "/services", "/disk", "/logs", "/hooks", "/support")
FINDINGS = """async () => (await axe.run()).violations
    .filter((each) => ["serious", "critical"].includes(each.impact))
    .map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(" | ").slice(0, 600)}`)"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_no_page_keeps_anybody_out(
    stage: Stage, web: WebProcess, browser: Browser, watcher: Watcher, size: str, scheme: str
) -> None:
    running = furnish(stage)
    done = next(job for job in stage.store.recent() if job.state is State.SUCCEEDED)
    context = browser.new_context(
        base_url=web.url, viewport=PHONE if size == "phone" else DESKTOP, reduced_motion="reduce",
        color_scheme="dark" if scheme == "dark" else "light", bypass_csp=True,  # for axe alone
    )  # fmt: skip
    watcher.watch(context)
    watcher.expected.add("404 (")
    page = context.new_page()
    paths = [
        "/",
        "/submit",
        "/jobs",
        f"/jobs/{running.id}",
        f"/jobs/{done.id}",
        "/jobs/x",
        "/login",
        "/claim",
        "/api",
        "/leaderboard",
    ]
    paths += ["/compare", f"/compare?a={done.id}&b={done.id}"]
    found = {}
    for path in (*paths, *(f"/owner{room}" for room in OWNERS)):
        page.goto(path)
        page.add_script_tag(path=AXE)
        if findings := page.evaluate(FINDINGS):
            found[path] = findings
    context.close()
    assert found == {}


def test_the_keyboard_alone_reaches_and_submits(stage: Stage, page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == "Submit":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/submit")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "git_url":
            break
    page.keyboard.type("https://example.org/lab/pendulum.git")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/*")
    assert stage.store.count() == 1
