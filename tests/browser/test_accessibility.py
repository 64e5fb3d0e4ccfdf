"""axe-core over every page, phone and desktop, light and dark: no serious or critical finding; and the keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import DESKTOP, PHONE, Watcher
from tests.browser.every_page import SETTINGS, furnished
from tests.webui.conftest import set_stage
from tests.webui.stage import Stage, WebProcess

AXE = Path(__file__).parents[2] / ".cache/front_end/node_modules/axe-core/axe.min.js"
FINDINGS = """async () => (await axe.run()).violations
    .filter((each) => ["serious", "critical"].includes(each.impact))
    .map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(" | ").slice(0, 600)}`)"""


@pytest.fixture
def stage() -> Iterator[Stage]:
    with set_stage(SETTINGS) as stage:
        yield stage


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_no_page_keeps_anybody_out(
    stage: Stage, web: WebProcess, browser: Browser, watcher: Watcher, size: str, scheme: str
) -> None:
    pages = furnished(stage, web)
    context = browser.new_context(
        base_url=web.url, viewport=PHONE if size == "phone" else DESKTOP, reduced_motion="reduce",
        color_scheme="dark" if scheme == "dark" else "light", bypass_csp=True,  # for axe alone
    )  # fmt: skip
    watcher.watch(context)
    watcher.expected.add("404 (")
    page = context.new_page()
    found = {}
    for path in pages.values():
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
