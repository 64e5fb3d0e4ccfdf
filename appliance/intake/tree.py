"""How does a folder that strangers filled become a job's source? Copied by a walker that follows nothing.

Only regular files with one name and folders are taken; names, sizes and counts are checked again here, whatever the
child that filled the folder has said. The copy belongs to the appliance, with modes 0644 or 0755.
"""

from __future__ import annotations

import contextlib
import os
import stat
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.errors import BadSource, Cancelled

MAX_DEPTH: Final = 64
_MAX_NAME_BYTES: Final = 255
_CHUNK_BYTES: Final = 1 << 20
_TURNING: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")


def plain(text: str, longest: int = 300, lines: bool = False) -> str:
    r"""`text` without control characters and text that turns direction, at most `longest` characters, for people.

    Line ends stay only if `lines`.

    >>> plain("a\x1b[31mb")
    'a�[31mb'
    """
    kept = "".join(c if (lines and c == "\n") or not _is_odd(c) else "\N{REPLACEMENT CHARACTER}" for c in text).strip()
    return kept if len(kept) <= longest else kept[: longest - 1] + "…"


def _is_odd(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs"} or character in _TURNING


def objection(name: str) -> str:
    """What is wrong with `name` as the name of one file or folder; empty if nothing is."""
    if name in {"", ".", ".."} or "/" in name:
        return "is no name"
    if "\\" in name:
        return "has a backslash in it"
    if any(_is_odd(character) for character in name):
        return "has control characters in it, or is not UTF-8"
    if len(name.encode()) > _MAX_NAME_BYTES:
        return f"is longer than {_MAX_NAME_BYTES} bytes"
    return ""


@dataclass
class Budget:
    """What may still be taken; `spend` raises BadSource when it is used up."""

    max_bytes: int
    max_files: int
    bytes: int = 0
    files: int = 0

    def spend(self, size_bytes: int = 0, files: int = 0) -> None:
        """Count something."""
        self.bytes += size_bytes
        self.files += files
        if self.bytes > self.max_bytes:
            raise BadSource(
                f"The source is larger than {self.max_bytes >> 20} MiB unpacked, which is the limit here. "
                "Leave data and build results out."
            )
        if self.files > self.max_files:
            raise BadSource(
                f"The source has more than {self.max_files} files and folders, which is the limit here. "
                "Leave environments, caches and data sets out."
            )


def copy(source: int, target: Path, budget: Budget, cancelled: Callable[[], bool] = lambda: False) -> None:
    """Copy the folder behind the descriptor `source` to `target`, which is made. Raises BadSource, Cancelled."""
    os.mkdir(target, 0o755)
    into = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _copy_folder(source, into, "", budget, cancelled, MAX_DEPTH)
    finally:
        os.close(into)


def _copy_folder(
    source: int, into: int, path: str, budget: Budget, cancelled: Callable[[], bool], depth_left: int
) -> None:
    os.fchmod(into, 0o755)
    if depth_left == 0:
        raise BadSource(f"The folders in the source are nested deeper than {MAX_DEPTH}. Make them flatter.")
    with os.scandir(source) as entries:
        for entry in entries:
            if cancelled():
                raise Cancelled("The job was cancelled while its source was prepared.")
            inside = f"{path}{entry.name}"
            wrong = objection(entry.name)
            if wrong:
                raise BadSource(f"The name “{plain(inside)}” {wrong}. Rename it.")
            budget.spend(files=1)
            _copy_entry(source, into, entry.name, inside, budget, cancelled, depth_left)


def _copy_entry(
    source: int, into: int, name: str, inside: str, budget: Budget, cancelled: Callable[[], bool], depth_left: int
) -> None:
    with contextlib.ExitStack() as stack:
        try:
            reading = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=source)
        except OSError as error:
            raise BadSource(f"“{inside}” is a link or can't be read. Put the file itself there.") from error
        stack.callback(os.close, reading)
        status = os.fstat(reading)
        if stat.S_ISDIR(status.st_mode):
            os.mkdir(name, 0o755, dir_fd=into)
            deeper = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=into)
            stack.callback(os.close, deeper)
            _copy_folder(reading, deeper, inside + "/", budget, cancelled, depth_left - 1)
        elif stat.S_ISREG(status.st_mode) and status.st_nlink == 1:
            writing = os.open(
                name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=into
            )
            stack.callback(os.close, writing)
            _copy_bytes(reading, writing, budget, cancelled)
            os.fchmod(writing, 0o755 if status.st_mode & 0o100 else 0o644)
        else:
            raise BadSource(f"“{inside}” is neither a file nor a folder of its own. Put an ordinary file there.")


def _copy_bytes(reading: int, writing: int, budget: Budget, cancelled: Callable[[], bool]) -> None:
    while chunk := os.read(reading, _CHUNK_BYTES):
        if cancelled():
            raise Cancelled("The job was cancelled while its source was prepared.")
        budget.spend(size_bytes=len(chunk))
        view = memoryview(chunk)
        while view:
            view = view[os.write(writing, view) :]
