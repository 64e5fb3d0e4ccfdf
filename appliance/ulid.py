"""What identifies a job? A ULID: 26 characters, sortable by time of creation, safe in paths and URLs."""

from __future__ import annotations

import re
import secrets

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PATTERN = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


def new(now_s: float, entropy: int | None = None) -> str:
    """A fresh identifier for the wall-clock time `now_s` (seconds since the epoch): 48 bits time, 80 bits random.

    `entropy` stands for the random bits, where a run must be repeatable.
    """
    noise = secrets.randbits(80) if entropy is None else entropy & (1 << 80) - 1
    number = (int(now_s * 1000) & (1 << 48) - 1) << 80 | noise
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def is_valid(text: object) -> bool:
    """Whether `text` is a ULID in its canonical spelling; anything else never reaches a path."""
    return isinstance(text, str) and _PATTERN.fullmatch(text) is not None


def time_s(text: str) -> float:
    """When an identifier was made, in seconds since the epoch, to the millisecond."""
    number = 0
    for character in text[:10]:
        number = number << 5 | _ALPHABET.index(character)
    return number / 1000
