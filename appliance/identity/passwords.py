"""How is a password kept? As scrypt's hash with its parameters, so that they can grow; compared in constant time.

16 MiB and tens of milliseconds a guess (RFC 7914 with N = 2^14, r = 8, p = 1), which a Raspberry Pi affords for one at a time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from typing import Final

from appliance.errors import RaasError

MIN_CHARACTERS: Final = 10
MAX_CHARACTERS: Final = 200
_N, _R, _P = 2**14, 8, 1
_MAX_MEMORY_BYTES: Final = 64 * 2**20
_KIND: Final = "scrypt"


class BadPassword(RaasError):
    """A password that can't be taken; says why."""


def check(password: str) -> None:
    """Raises BadPassword unless it is long enough to be worth keeping."""
    if not MIN_CHARACTERS <= len(password) <= MAX_CHARACTERS:
        raise BadPassword(f"A password has {MIN_CHARACTERS} to {MAX_CHARACTERS} characters. Choose another one.")


def hashed(password: str, salt: bytes | None = None) -> str:
    """The text to keep: kind, parameters, salt and hash."""
    salt = secrets.token_bytes(16) if salt is None else salt
    digest = _scrypt(password, salt, _N, _R, _P)
    return "$".join([_KIND, str(_N), str(_R), str(_P), _text(salt), _text(digest)])


def matches(password: str, kept: str) -> bool:
    """Whether it is the password behind `kept`; False for a text that isn't one of ours."""
    try:
        kind, n, r, p, salt, digest = kept.split("$")
        if kind != _KIND:
            return False
        found = _scrypt(password[:MAX_CHARACTERS], _bytes(salt), int(n), int(r), int(p))
        return hmac.compare_digest(found, _bytes(digest))
    except ValueError:
        return False


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    data = password.encode(errors="surrogatepass")
    return hashlib.scrypt(data, salt=salt, n=n, r=r, p=p, maxmem=_MAX_MEMORY_BYTES, dklen=32)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
