"""What did the job print? Keeps the head of its output live in a file and the tail for the end, within a fixed size.

The file only grows, so a page can read it by offset while the job runs. Output that fits is kept byte for byte. Of a
flood the file gets the head at once, then a line that says so; `finish()` adds how much was left out, and the tail.
Bytes are kept raw; whoever shows them decodes and escapes them.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final

TAIL_MAX_BYTES: Final = 64 * 1024
#: How fast a flood is read. What a job prints beyond it waits in the job: it slows itself down, nobody else.
FLOOD_BYTES_PER_S: Final = 8 * 1024 * 1024


@dataclass(frozen=True)
class Printed:
    """How much a job printed, and how much of it isn't in the file."""

    total_bytes: int
    dropped_bytes: int


class Capture:
    """Takes the output of one attempt as it comes. Not for several threads at once."""

    def __init__(self, path: Path, limit_bytes: int) -> None:
        """Begin the file `path` anew; head and tail together keep `limit_bytes`."""
        self._tail_limit = min(TAIL_MAX_BYTES, limit_bytes // 4)
        self._head_left = limit_bytes - self._tail_limit
        self._limit_bytes = limit_bytes
        self._tail = bytearray()
        self._total = self._beyond_head = 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)

    @property
    def is_flooded(self) -> bool:
        """Whether the file's head is full."""
        return self._head_left == 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes; what belongs to the head is in the file when this returns. Raises OSError (full disk)."""
        self._total += len(data)
        head, rest = data[: self._head_left], data[self._head_left :]
        if head:
            self._head_left -= len(head)
            _write(self._file, head)
        if rest:
            self._keep(rest)

    def finish(self) -> Printed:
        """Write what was held back, close the file and say how much there was. A full disk loses the tail."""
        dropped = self._dropped
        try:
            if dropped:
                _write(self._file, f"[{dropped} bytes of output are left out here]\n".encode())
            _write(self._file, self._tail[-self._tail_limit :])
        except OSError:
            dropped = self._beyond_head
        finally:
            self.close()
        return Printed(self._total, dropped)

    def close(self) -> None:
        """Close the file as it is."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Capture:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _dropped(self) -> int:
        return max(0, self._beyond_head - self._tail_limit)

    def _keep(self, data: bytes) -> None:
        """Put bytes into the tail. Its surplus is cut off only now and then, as that moves the rest."""
        if not self._dropped and self._beyond_head + len(data) > self._tail_limit:
            _write(self._file, self._notice())
        self._beyond_head += len(data)
        self._tail += data
        if len(self._tail) > 2 * self._tail_limit:
            del self._tail[: -self._tail_limit]

    def _notice(self) -> bytes:
        kept, tail = self._limit_bytes // 1024, self._tail_limit // 1024
        return f"\n[more than {kept} KiB of output: from here on only its last {tail} KiB are kept, shown at the end]\n".encode()


def last_line(path: Path) -> str:
    """The last line with something on it, for a person: at most 300 characters, without control characters."""
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - 4096))
        lines = file.read().decode(errors="replace").splitlines()
    found = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return "".join(character for character in found if character.isprintable())[:300]


def _write(file: int, data: bytes | bytearray) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
