"""Where are a job's results, and how are they read without holding up others? Names come from ids, never from people."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.paths import Paths
from appliance.store import AWAY, Job
from appliance.webui.threads import Threads

CHUNK_BYTES: Final = 256 * 1024
LOG: Final = "output.log"


def log_file(paths: Paths, job: Job) -> Path:
    """The output of the present attempt; need not exist yet."""
    return (paths.away(job.id) if job.place == AWAY else paths.attempt(job.id, job.attempt)) / LOG


def size_bytes(path: Path) -> int:
    """How long a file is; 0 where it doesn't exist."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


@dataclass(frozen=True)
class Slice:
    """A piece of a file: the whole file's size and the bytes from an offset on."""

    size_bytes: int
    content: bytes


class Disk:
    """Threads that wait for the disk, so that the web server needn't."""

    def __init__(self, threads: int = 4) -> None:
        self._threads = Threads(threads)

    def piece(self, path: Path, offset: int, limit_bytes: int) -> Slice:
        """At most `limit_bytes` from `offset` on; a missing file is an empty one."""
        return self._threads.call(_piece, path, offset, limit_bytes)

    def names(self, folder: Path) -> list[str]:
        """What is in a folder; nothing if there is none."""
        return self._threads.call(_names, folder)

    def open(self, path: Path) -> FileStream:
        """A file to be sent. Raises FileNotFoundError."""
        handle = self._threads.call(os.open, path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        return FileStream(handle, self._threads)


class FileStream:
    """A file's bytes in chunks, read while others are served; closed by whoever sends it, also when he gives up."""

    def __init__(self, handle: int, threads: Threads) -> None:
        self._handle = handle
        self._threads = threads
        self.size_bytes = os.fstat(handle).st_size
        self._left = self.size_bytes

    def __iter__(self) -> Iterator[bytes]:
        """The chunks; never more than the size that was announced."""
        while self._left and (chunk := self._threads.call(os.read, self._handle, min(self._left, CHUNK_BYTES))):
            self._left -= len(chunk)
            yield chunk

    def close(self) -> None:
        """Close the file."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


def _names(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []


def _piece(path: Path, offset: int, limit_bytes: int) -> Slice:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(min(offset, size))
            return Slice(size, file.read(limit_bytes))
    except FileNotFoundError:
        return Slice(0, b"")
