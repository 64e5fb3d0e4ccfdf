"""Whose key is that? Answers libzmq's questions (ZAP, RFC 27) while a stranger's handshake lasts. Pure.

Only keys that the owner has let in are taken. One whose time is over gets in, to be told so in words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

ENDPOINT: Final = "inproc://zeromq.zap.01"
DOMAIN: Final = "raas-lease"
_VERSION: Final = b"1.0"


def answer(question: Sequence[bytes], names: Mapping[bytes, str]) -> list[bytes]:
    """The reply's frames; `names` by public key. Anything that isn't a CURVE question is refused."""
    request = question[1] if len(question) > 1 else b""
    name = (
        names.get(question[6]) if len(question) == 7 and question[5] == b"CURVE" and question[0] == _VERSION else None
    )
    if name is None:
        return [_VERSION, request, b"400", b"unknown key", b"", b""]
    return [_VERSION, request, b"200", b"OK", name.encode(), b""]
