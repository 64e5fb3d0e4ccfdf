"""How does the web page prove to systemd that it works? It asks itself over HTTP, as a browser would.

Any answer counts, also one that says that something else is broken: what is proven is that requests are answered. Then the
watchdog is fed; a server that hangs is restarted.
"""

from __future__ import annotations

import time
from typing import Final

import gevent

from appliance import own_page
from appliance.config import WebSection
from appliance.notify import Notifier

_PERIOD_S: Final = 2.0
_TIMEOUT_S: Final = 5.0


def answers(web: WebSection, port: int) -> bool:
    """Whether a request is answered in time."""
    return own_page.status(web, port, "/api/robot", _TIMEOUT_S) is not None


def beat(notifier: Notifier, web: WebSection, port: int) -> None:
    """Tell the service manager that the page is ready once it answers, and that it lives as long as it does."""
    while not answers(web, port):
        gevent.sleep(0.05)
    notifier.ready(f"page at port {port}")
    while notifier.watchdog_s:
        gevent.sleep(min(_PERIOD_S, notifier.watchdog_s / 5.0))
        if answers(web, port):
            notifier.alive(time.monotonic())
