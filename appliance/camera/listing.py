"""When was each picture of a recording taken, and where does it begin? A text file with lines of equal length, one for each picture.

So the line of picture N is found without reading the others. Times are those of the wall clock, s since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

WIDTH: Final = 36
HEADER: Final = b"unix_s,offset,bytes".ljust(WIDTH - 1) + b"\n"


@dataclass(frozen=True)
class Entry:
    """One picture. offset, size: bytes."""

    taken_at: float
    offset: int
    size: int


def line(entry: Entry) -> bytes:
    """Its line."""
    return f"{entry.taken_at:14.3f},{entry.offset:11d},{entry.size:8d}\n".encode()


def place(number: int) -> int:
    """Where the line of picture `number` (from 0) begins in the file."""
    return WIDTH * (number + 1)


def entries(lines: bytes) -> list[Entry]:
    """Read whole lines, without the header; the first one that is none ends it."""
    found = []
    for begin in range(0, len(lines) - WIDTH + 1, WIDTH):
        try:
            taken_at, offset, size = lines[begin : begin + WIDTH].split(b",")
            entry = Entry(float(taken_at), int(offset), int(size))
        except ValueError:
            break
        found.append(entry)
    return found
