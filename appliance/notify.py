"""How does a process tell systemd that it works? sd_notify: ready, alive, and one line of status.

Without a service manager (`NOTIFY_SOCKET` unset) every call does nothing. A process calls `alive()` only after it has done
real work: a tick seen, a round of the queue, an answered request.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping


class Notifier:
    """The service manager's socket, as found in the environment at the process's edge."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):  # an abstract socket
            self._address = "\0" + self._address[1:]
        #: How often systemd wants to hear of us at the latest, s; 0 where there is no watchdog.
        self.watchdog_s = int(environment.get("WATCHDOG_USEC", "0") or "0") / 1e6
        self._last_s = float("-inf")

    def ready(self, status: str = "") -> None:
        """Start-up is done: units ordered after this one may start."""
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={text}")

    def alive(self, now_s: float) -> None:
        """Work was done; passes it on a few times per watchdog period, however often this is called."""
        if self.watchdog_s and now_s - self._last_s >= self.watchdog_s / 4:
            self._last_s = now_s
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The process ends on purpose."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel, contextlib.suppress(OSError):
            channel.connect(self._address)
            channel.send(text.encode())
