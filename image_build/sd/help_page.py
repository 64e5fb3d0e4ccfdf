"""What does a visitor of the appliance's own Wi-Fi get? One page for every address, which says what is wrong.

`python -m image_build.sd.help_page`, by raas-help-page.service, under a user of its own. Phones that look for a log-in page
find it too. Nothing that a visitor sends is used.
"""

from __future__ import annotations

import http.server
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from image_build.sd.reachability import OWN_ADDRESS

PORT: Final = 80
_STALLED_S: Final = 10.0


class HelpServer(http.server.ThreadingHTTPServer):
    """Serves the page as it is at the moment of each request."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], page: Path) -> None:
        super().__init__(address, _Answer)
        self.page = page


class _Answer(http.server.BaseHTTPRequestHandler):
    timeout = _STALLED_S
    server: HelpServer

    def do_GET(self) -> None:
        body = self.server.page.read_bytes()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the library's name
        """Visitors' requests are not worth a line."""


if __name__ == "__main__":
    HelpServer((OWN_ADDRESS, PORT), Path("/run/raas-network/index.html")).serve_forever()
