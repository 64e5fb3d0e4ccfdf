"""How does a laptop get the robot file of an appliance? One request over HTTP, limited in size, time and place.

What comes back is read as any robot file: plain YAML, checked key by key. A redirect is not followed.
"""

from __future__ import annotations

import time
import urllib.error
import urllib.parse
import urllib.request
from typing import IO, Any, Final

from gym_raas.parameters import MAX_FILE_BYTES, Robot, RobotFileError, parse_robot

PATH: Final = "/api/robot.yaml"
TIMEOUT_S: Final = 5.0
_CHUNK_BYTES: Final = 4096


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        """Follow nowhere: the answer is then an error."""


def fetch(address: str, timeout_s: float = TIMEOUT_S) -> Robot:
    """The robot of the appliance at `address` (http or https). Raises RobotFileError, at the latest after about `timeout_s`."""
    url = urllib.parse.urljoin(address if address.endswith("/") else address + "/", PATH.lstrip("/"))
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise RobotFileError(f"{address}: expected is an address that begins with http:// or https://")
    opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))
    deadline_s = time.monotonic() + timeout_s
    try:
        with opener.open(url, timeout=timeout_s) as answer:
            raw = _read(answer, deadline_s)
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise RobotFileError(
            f"{address}: no robot file comes from there ({error}); is it an appliance's address?"
        ) from error
    return parse_robot(raw, url)


def _read(answer: IO[bytes], deadline_s: float) -> bytes:
    """The body, one byte longer than allowed if it is too long. Raises TimeoutError if it only trickles."""
    body = b""
    while len(body) <= MAX_FILE_BYTES:
        if time.monotonic() > deadline_s:
            raise TimeoutError("too slow")
        chunk = answer.read1(_CHUNK_BYTES) if hasattr(answer, "read1") else answer.read(_CHUNK_BYTES)
        if not chunk:
            break
        body += chunk
    return body
