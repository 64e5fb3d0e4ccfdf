"""What proves that a browser's user has logged in? A cookie that only this appliance can have written, with an end.

The text is `expires.nonce.subject.mac`. Nothing is kept of it until somebody logs out; a new secret (at a change of the
password) ends all sessions.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

LIFETIME_S: Final = 7 * 24 * 3600
_MAX_CHARACTERS: Final = 240


@dataclass(frozen=True)
class Session:
    """What stands in a cookie of ours. subject: '' is the owner by password, else it is the hash of a token."""

    ends_at: int
    nonce: str
    subject: str


def issue(secret: bytes, now_s: float, subject: str = "") -> str:
    """A new session that ends `LIFETIME_S` from now."""
    said = f"{int(now_s) + LIFETIME_S}.{secrets.token_hex(16)}.{subject}"
    return f"{said}.{_mac(secret, said)}"


def read(secret: bytes, text: str, now_s: float) -> Session | None:
    """The session, if we issued it and it hasn't reached its end."""
    said, _, mac = text[:_MAX_CHARACTERS].rpartition(".")
    parts = said.split(".")
    if not hmac.compare_digest(_mac(secret, said).encode(), mac.encode(errors="replace")) or len(parts) != 3:
        return None
    # Only what we wrote gets here. One from too far ahead was issued before the clock was set right.
    session = Session(int(parts[0]), parts[1], parts[2])
    return session if now_s < session.ends_at <= now_s + LIFETIME_S else None


def _mac(secret: bytes, said: str) -> str:
    return hmac.new(secret, b"session:" + said.encode(errors="replace"), hashlib.sha256).hexdigest()
