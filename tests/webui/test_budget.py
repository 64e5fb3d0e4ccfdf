"""How heavy is the Robot page? What a browser fetches on its first visit, counted as it goes over the wire: no machine is too busy for that."""

from __future__ import annotations

import re
from urllib.parse import urljoin

from tests.webui.http_calls import call
from tests.webui.stage import Stage, WebProcess

MOST_BYTES = 120 * 1024
MOST_REQUESTS = 24
#: What is fetched by whom: linked in the page, imported by a module, or made an address of by it.
FETCHED = (r'<(?:script|link)[^>]*?(?:src|href)="([^"]+)"', r'(?:from|import)\s*"(\./[^"]+)"', r'new URL\("(\./[^"]+)"', r'fetch\("([^"]+)"\)')  # fmt: skip


def first_visit(port: int, page: str) -> dict[str, int]:
    """Each address and how many bytes its answer has, headers included; the event stream has no end and is left out."""
    weighed: dict[str, int] = {}
    left = [page]
    while left:
        address = left.pop()
        if address in weighed:
            continue
        answer = call(port, "GET", address, headers={"Accept": "*/*", "Accept-Encoding": "gzip"})
        assert answer.status == 200, address
        weighed[address] = len(answer.body) + sum(len(name) + len(text) + 4 for name, text in answer.headers.items())
        source = call(port, "GET", address).body.decode(errors="replace")
        if address == page or address.endswith(".js"):
            left += [urljoin(address, found) for pattern in FETCHED for found in re.findall(pattern, source)]
    return weighed


def test_the_first_visit_stays_within_its_budget(stage: Stage, web: WebProcess) -> None:
    stage.running("watched")
    weighed = first_visit(web.port, "/")
    assert any(address.endswith("stream_worker.js") for address in weighed), "what modules import is seen"
    assert sum(weighed.values()) <= MOST_BYTES, weighed
    assert len(weighed) <= MOST_REQUESTS, sorted(weighed)


def test_the_page_is_whole_before_any_script_has_run(stage: Stage, web: WebProcess) -> None:
    stage.running("watched")
    html = call(web.port, "GET", "/", headers={"Accept": "text/html"}).body.decode()
    assert "data-stop" in html
    for script in html.split("<script")[1:]:
        head = script.partition(">")[0]
        assert 'type="module"' in head or "defer" in head or "json" in head, "no script holds up the page"
