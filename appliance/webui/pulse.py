"""How does the web page prove to systemd that it works? It asks itself over HTTP, as a browser would.

Any answer counts, also one that says that something else is broken: what is proven is that requests are answered. Then the
watchdog is fed; a server that hangs is restarted.
"""

from __future__ import annotations

import http.client
import ipaddress
import time
from typing import Final

import gevent

from appliance.notify import Notifier

_PERIOD_S: Final = 2.0
_TIMEOUT_S: Final = 5.0


def answers(address: str, port: int) -> bool:
    """Whether a request is answered in time. Asked on loopback where the server listens on all addresses."""
    connection = http.client.HTTPConnection(_reachable(address), port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/api/robot", headers={"Host": "localhost"})
        return connection.getresponse().status > 0
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def beat(notifier: Notifier, address: str, port: int) -> None:
    """Tell the service manager that the page is ready once it answers, and that it lives as long as it does."""
    while not answers(address, port):
        gevent.sleep(0.05)
    notifier.ready(f"page at port {port}")
    while notifier.watchdog_s:
        gevent.sleep(min(_PERIOD_S, notifier.watchdog_s / 5.0))
        if answers(address, port):
            notifier.alive(time.monotonic())


def _reachable(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if not parsed.is_unspecified:
        return address
    return "127.0.0.1" if parsed.version == 4 else "::1"
