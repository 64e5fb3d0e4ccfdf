"""What identifies a job? A ULID: 26 characters, sortable by time of creation, safe in paths and URLs."""

from __future__ import annotations

import re
import secrets

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PATTERN = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


def new(now_s: float) -> str:
    """A fresh identifier for the wall-clock time `now_s` (seconds since the epoch): 48 bits time, 80 bits random."""
    number = (int(now_s * 1000) & (1 << 48) - 1) << 80 | secrets.randbits(80)
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def is_valid(text: object) -> bool:
    """Whether `text` is a ULID in its canonical spelling; anything else never reaches a path."""
    return isinstance(text, str) and _PATTERN.fullmatch(text) is not None
