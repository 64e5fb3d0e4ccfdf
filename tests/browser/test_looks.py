"""Every page on phone and desktop, light and dark: nothing sticks out, it is light to load, and pictures to look at."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from appliance.jobs import State
from tests.browser.conftest import DESKTOP, PHONE, Watcher, connected
from tests.webui.stage import Stage, WebProcess, furnish

MAX_FIRST_LOAD_BYTES = 120 * 1024


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["phone", "desktop"])
def test_every_page_fits_its_screen(
    stage: Stage, web: WebProcess, browser: Browser, watcher: Watcher, screenshots: Path, size: str, scheme: str
) -> None:
    running = furnish(stage)
    done = next(job for job in stage.store.recent() if job.state is State.SUCCEEDED)
    is_phone = size == "phone"
    context = browser.new_context(
        base_url=web.url, viewport=PHONE if is_phone else DESKTOP, has_touch=is_phone, is_mobile=is_phone,
        color_scheme="dark" if scheme == "dark" else "light",
    )  # fmt: skip
    watcher.watch(context)
    page = context.new_page()
    pages = {
        "robot": "/",
        "submit": "/submit",
        "jobs": "/jobs",
        "leaderboard": "/leaderboard",
        "webhooks": "/owner/hooks",
        "running": f"/jobs/{running.id}",
        "done": f"/jobs/{done.id}",
        "absent": "/jobs/x",
    }
    watcher.expected.add("404 (")
    for name, path in pages.items():
        page.goto(path)
        connected(page)
        page.wait_for_timeout(300)
        page.screenshot(path=screenshots / f"{name}-{size}-{scheme}.png", full_page=not is_phone)
        assert page.evaluate("document.documentElement.scrollWidth") <= page.evaluate("innerWidth"), (
            f"{name} is too wide"
        )
        stop = page.get_by_role("button", name="Stop")
        expect(stop).to_be_in_viewport()
        box = stop.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 44
    context.close()


def test_the_robot_page_is_light_and_soon_there(
    stage: Stage, web: WebProcess, browser: Browser, watcher: Watcher
) -> None:
    furnish(stage)
    context = browser.new_context(base_url=web.url, viewport=PHONE)
    watcher.watch(context)
    page = context.new_page()
    page.goto("/")
    expect(page.locator("[data-strip] canvas")).to_have_count(3)
    loaded = sum(
        response.request.sizes()["responseBodySize"] + response.request.sizes()["responseHeadersSize"]
        for response in watcher.responses
        if "/api/events" not in response.url
    )
    assert loaded <= MAX_FIRST_LOAD_BYTES, f"{loaded} bytes"
    interactive_ms = page.evaluate("performance.getEntriesByType('navigation')[0].domInteractive")
    assert interactive_ms <= 1000
    context.close()


@pytest.mark.parametrize(("path", "most"), [("/", 0.02), ("running", 0.1), ("done", 0.1)])
def test_nothing_jumps_while_the_robot_runs(
    stage: Stage, web: WebProcess, browser: Browser, watcher: Watcher, path: str, most: float
) -> None:
    running = furnish(stage)
    done = next(job for job in stage.store.recent() if job.state is State.SUCCEEDED)
    address = {"running": f"/jobs/{running.id}", "done": f"/jobs/{done.id}"}.get(path, path)
    context = browser.new_context(base_url=web.url, viewport=DESKTOP)
    watcher.watch(context)
    page = context.new_page()
    page.add_init_script(
        "window.shift = 0; new PerformanceObserver((list) => { for (const each of list.getEntries()) window.shift += each.value; })"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    page.goto(address)
    page.wait_for_timeout(2500)
    assert page.evaluate("window.shift") < most
    context.close()


def test_controls_have_names_and_pages_one_main_heading(
    stage: Stage, web: WebProcess, browser: Browser, watcher: Watcher
) -> None:
    job = furnish(stage)
    context = browser.new_context(base_url=web.url)
    watcher.watch(context)
    page = context.new_page()
    nameless = """() => [...document.querySelectorAll("button, a, input:not([type=hidden]), progress, [role=img], [role=log]")].filter((each) =>
        !(each.getAttribute("aria-label") || each.getAttribute("aria-labelledby") || each.labels?.length || each.textContent.trim())
    ).map((each) => each.outerHTML)"""
    for path in ("/", "/submit", "/jobs", f"/jobs/{job.id}"):
        page.goto(path)
        assert page.evaluate(nameless) == [], path
        assert page.locator("h1").count() == 1, path
        assert page.evaluate("document.documentElement.lang") == "en"
    context.close()
