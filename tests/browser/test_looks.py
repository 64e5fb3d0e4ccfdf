"""Every page on phone and desktop, light and dark: nothing sticks out, it is light to load, and pictures to look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from appliance.jobs import State
from tests.browser.conftest import DESKTOP, PHONE, Watcher, connected
from tests.browser.every_page import SETTINGS, furnished
from tests.webui.conftest import set_stage
from tests.webui.stage import Stage, WebProcess, furnish

MAX_FIRST_LOAD_BYTES = 120 * 1024
#: Controls that a screen reader has no words for.
NAMELESS = """() => [...document.querySelectorAll("button, a, input:not([type=hidden]), progress, [role=img], [role=log]")].filter((each) =>
        !(each.getAttribute("aria-label") || each.getAttribute("aria-labelledby") || each.labels?.length || each.textContent.trim())
    ).map((each) => each.outerHTML)"""


@pytest.fixture
def full_stage() -> Iterator[Stage]:
    with set_stage(SETTINGS) as stage:
        yield stage


@pytest.mark.parametrize(("size", "scheme"), [("phone", "dark"), ("desktop", "light")])
def test_every_page_fits_its_screen(
    full_stage: Stage, browser: Browser, screenshots: Path, size: str, scheme: Literal["dark", "light"]
) -> None:
    is_phone = size == "phone"
    with full_stage.serve() as web:
        pages = furnished(full_stage, web)
        watcher = Watcher(urlsplit(web.url).netloc, expected={"404 ("})
        context = browser.new_context(
            base_url=web.url, viewport=PHONE if is_phone else DESKTOP, has_touch=is_phone, is_mobile=is_phone,
            color_scheme=scheme,
        )  # fmt: skip
        watcher.watch(context)
        page = context.new_page()
        for name, path in pages.items():
            page.goto(path)
            if name not in ("claim", "login"):  # whoever stands there may not listen yet
                connected(page)
            page.wait_for_timeout(300)
            page.screenshot(path=screenshots / f"{name}-{size}.png", full_page=True)
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{name} is {wide} px too wide"
            stop = page.get_by_role("button", name="Stop", exact=True)
            expect(stop).to_be_in_viewport()
            box = stop.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 44
            assert page.evaluate(NAMELESS) == [], name
            assert page.locator("h1").count() == 1, name
            assert page.evaluate("document.documentElement.lang") == "en"
        context.close()
    assert watcher.complaints == []


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
