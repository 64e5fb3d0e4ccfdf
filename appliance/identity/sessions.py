"""What proves that a browser's user has logged in? A cookie that only this appliance can have written, with an end.

Nothing is kept for it: the text is `expires.nonce.mac`, and a new secret (at a change of the password) ends all sessions.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Final

LIFETIME_S: Final = 7 * 24 * 3600
_MAX_CHARACTERS: Final = 200


def issue(secret: bytes, now_s: float) -> str:
    """A new session that ends `LIFETIME_S` from now."""
    said = f"{int(now_s) + LIFETIME_S}.{secrets.token_hex(16)}"
    return f"{said}.{_mac(secret, said)}"


def is_valid(secret: bytes, text: str, now_s: float) -> bool:
    """Whether we issued it and it hasn't ended."""
    said, _, mac = text[:_MAX_CHARACTERS].rpartition(".")
    if not hmac.compare_digest(_mac(secret, said).encode(), mac.encode(errors="replace")):
        return False
    # Only what we wrote gets here. One from too far ahead was issued before the clock was set right.
    return now_s < int(said.partition(".")[0]) <= now_s + LIFETIME_S


def _mac(secret: bytes, said: str) -> str:
    return hmac.new(secret, b"session:" + said.encode(errors="replace"), hashlib.sha256).hexdigest()
