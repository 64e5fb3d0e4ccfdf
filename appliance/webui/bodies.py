"""What may a request bring along? Judged before any handler is asked, so that a new address is guarded from the start.

Programs send JSON, pages send forms, and either is small; only where archives come in may it be more. A stop is never
refused for what comes with it.
"""

from __future__ import annotations

from typing import Final

import gevent

from appliance.webui.doorkeeper import STOPPING, SUBMITTING
from appliance.webui.gatekeeper import READING
from appliance.webui.web import Refusal, Request

MAX_BYTES: Final = 16 * 1024
#: Longest wait for a small body.
PATIENCE_S: Final = 5.0
_JSON: Final = "application/json"
_FORM: Final = "application/x-www-form-urlencoded"
_UPLOAD: Final = "multipart/form-data"


def check(request: Request) -> None:
    """Raises Refusal for a body that nobody here could read: too long, or of another type than the address takes."""
    if request.method in READING or request.path in STOPPING:
        return
    allowed = {_JSON if request.path.startswith("/api/") else _FORM}
    if request.path in SUBMITTING:
        allowed.add(_UPLOAD)
    else:
        _check_length(request)
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind and kind not in allowed:
        raise Refusal(415, "unsupported_type", f"This address takes {' or '.join(sorted(allowed))}. Send that.")


def read(request: Request, patience_s: float = PATIENCE_S) -> bytes:
    """The whole of a small body. Raises Refusal where it is larger than any that we know, slow, or broken off."""
    length = _check_length(request)
    late = Refusal(408, "too_slow", f"The request's body didn't come within {patience_s:g} s. Send it again.")
    try:
        with gevent.Timeout(patience_s, late):
            return request.body.read(length)
    except OSError as error:
        raise Refusal(400, "broken_off", "The request broke off before its end. Send it again.") from error


def _check_length(request: Request) -> int:
    if request.length_bytes is None or request.length_bytes > MAX_BYTES:
        raise Refusal(413, "too_large", f"Send at most {MAX_BYTES // 1024} KiB, with its Content-Length.")
    return request.length_bytes
