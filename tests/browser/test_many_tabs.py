"""Eight tabs of one browser: one event stream for all, and Stop answers at once whatever else goes on."""

from __future__ import annotations

import http.client

from playwright.sync_api import BrowserContext, expect

from tests.browser.conftest import connected
from tests.webui.http_calls import form
from tests.webui.stage import Stage, WebProcess

MIB = 2**20


def open_streams(web: WebProcess) -> int:
    """Connections of others to the web process that are established."""
    with open("/proc/net/tcp") as table:
        wanted = f":{web.port:04X}"
        return sum(fields[1].endswith(wanted) and fields[3] == "01" for fields in map(str.split, table))


def test_stop_answers_within_a_second_with_eight_tabs_and_an_upload_under_way(
    stage: Stage, web: WebProcess, context: BrowserContext
) -> None:
    stage.running("watched")
    tabs = [context.new_page() for _ in range(8)]
    for number, tab in enumerate(tabs):
        tab.goto(("/", "/jobs")[number % 2])
        connected(tab)
    body, headers = form({}, ("large.zip", bytes(100 * MIB)))
    sender = http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)
    sender.putrequest("POST", "/api/jobs")
    for name, value in {**headers, "Content-Length": str(len(body))}.items():
        sender.putheader(name, value)
    sender.endheaders()
    sender.send(body[: 60 * MIB])
    with tabs[-1].expect_response("**/api/robot/stop"):
        tabs[-1].get_by_role("button", name="Stop").click()
    took_ms = tabs[-1].evaluate(
        "performance.getEntriesByType('resource').find((each) => each.name.endsWith('/api/robot/stop')).duration"
    )
    assert took_ms < 1000
    assert len(stage.guard.asked) == 1
    sender.send(body[60 * MIB :])
    assert sender.getresponse().status == 201
    sender.close()
    for tab in tabs:
        expect(tab.get_by_role("alert")).to_be_visible()


def test_eight_tabs_share_one_event_stream(stage: Stage, web: WebProcess, context: BrowserContext) -> None:
    tabs = [context.new_page() for _ in range(8)]
    for tab in tabs:
        tab.goto("/jobs")
        connected(tab)
    resources = "performance.getEntriesByType('resource').filter((each) => each.name.includes('/api/events')).length"
    assert [tab.evaluate(resources) for tab in tabs] == [0] * 8
    assert open_streams(web) <= 6
    stage.queued("news for everybody")
    for tab in tabs:
        expect(tab.get_by_text("news for everybody")).to_be_visible()


def test_a_browser_without_shared_workers_listens_only_while_the_tab_is_seen(
    stage: Stage, web: WebProcess, context: BrowserContext
) -> None:
    context.add_init_script("delete window.SharedWorker")
    tab = context.new_page()
    tab.goto("/jobs")
    connected(tab)
    stage.queued("seen alone")
    expect(tab.get_by_text("seen alone")).to_be_visible()
    hide = "Object.defineProperty(document, 'hidden', {value: %s, configurable: true}); document.dispatchEvent(new Event('visibilitychange'))"
    tab.evaluate(hide % "true")
    stage.queued("while hidden")
    tab.wait_for_timeout(700)
    expect(tab.get_by_text("while hidden")).to_have_count(0)
    tab.evaluate(hide % "false")
    expect(tab.get_by_text("while hidden")).to_be_visible()
