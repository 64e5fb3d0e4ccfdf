"""Chromium, a stage, and watchers that fail a test when a page complains or asks anybody else for anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    Playwright,
    Response,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.webui.conftest import set_stage
from tests.webui.stage import Stage, WebProcess

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
]
PHONE = ViewportSize(width=390, height=844)
DESKTOP = ViewportSize(width=1440, height=900)


@dataclass
class Watcher:
    """What went wrong in a context's pages, and what they asked for."""

    origin: str
    complaints: list[str] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)
    expected: set[str] = field(default_factory=set)

    def watch(self, context: BrowserContext) -> None:
        context.on("page", self._watch_page)
        context.on("request", lambda request: self._check(request.url))

    def _watch_page(self, page: Page) -> None:
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("response", lambda response: self.responses.append(response))  # noqa: PLW0108 - playwright marks functions
        page.on("console", lambda message: self._hear(message.type, message.text))

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not any(part in text for part in self.expected):
            self.complaints.append(f"{kind}: {text}")

    def _check(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.netloc != self.origin:
            self.complaints.append(f"request off the appliance: {url}")


def connected(page: Page) -> None:
    """Wait until the page hears the event stream."""
    expect(page.locator("body[data-connected=true]")).to_be_attached()


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    expect.set_options(timeout=20_000)  # a busy machine is slow, not broken
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture
def stage() -> Iterator[Stage]:
    with set_stage() as stage:
        yield stage


@pytest.fixture
def web(stage: Stage) -> Iterator[WebProcess]:
    with stage.serve() as process:
        yield process


@pytest.fixture
def watcher(web: WebProcess) -> Iterator[Watcher]:
    watcher = Watcher(urlsplit(web.url).netloc)
    yield watcher
    assert watcher.complaints == []


@pytest.fixture
def context(browser: Browser, web: WebProcess, watcher: Watcher) -> Iterator[BrowserContext]:
    """A fresh desktop browser."""
    context = browser.new_context(base_url=web.url, viewport=DESKTOP, timezone_id="Asia/Kolkata", locale="en-GB")
    context.set_default_timeout(30_000)
    watcher.watch(context)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Where pictures are kept for whoever wants to look."""
    folder = Path(__file__).parent.parent.parent / ".cache" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
