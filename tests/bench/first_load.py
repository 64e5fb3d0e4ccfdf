"""How soon can somebody use the Robot page? A fresh browser on localhost, from the address to the first live sample drawn."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import ARGUMENTS, CHROMIUM, DESKTOP, PHONE
from tests.webui.conftest import set_stage
from tests.webui.stage import WebProcess

ROUNDS = 10
#: Marks when the page's script has run and its first event has come; buttons and links work from `domInteractive` on.
_TIMES = """async () => {
    while (document.body.dataset.connected !== "true") await new Promise(requestAnimationFrame);
    const live = performance.now(), [seen] = performance.getEntriesByType("navigation");
    return [seen.domInteractive, seen.domContentLoadedEventEnd, live];
}"""


@dataclass(frozen=True)
class Load:
    """Medians, ms from the start of the navigation: the page stands, its scripts have run, it is live; and the slowest live one."""

    size: str
    interactive_ms: float
    scripts_ms: float
    live_ms: float
    slowest_ms: float


def measure() -> list[Load]:
    """Load the page of a robot that drives, each time in a browser that has never seen it."""
    with set_stage() as stage, stage.serve() as web, sync_playwright() as playwright:
        stage.running("drives")
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        found = [_loaded(browser, web, size) for size in ("phone", "desktop")]
        browser.close()
    return found


def _loaded(browser: Browser, web: WebProcess, size: str) -> Load:
    times = []
    for _ in range(ROUNDS):
        context = browser.new_context(base_url=web.url, viewport=PHONE if size == "phone" else DESKTOP)
        page = context.new_page()
        page.goto("/", wait_until="commit")
        times.append(page.evaluate(_TIMES))
        context.close()
    interactive, scripts, live = zip(*times, strict=True)
    return Load(size, *(statistics.median(each) for each in (interactive, scripts, live)), max(live))
