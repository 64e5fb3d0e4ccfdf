"""How does a file survive a crash whole? Written beside its name, synced, renamed, and the folder synced too."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

#: Ending of files that aren't complete; whoever finds one after a crash may remove it.
PARTIAL: Final = ".partial"


def write(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Put `data` at `path`, whole or not at all. Raises OSError (full disk) and leaves no partial file then."""
    partial = path.with_name(path.name + PARTIAL)
    try:
        partial.write_bytes(data)
        if sync:
            sync_file(partial)
        partial.rename(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    if sync:
        sync_file(path.parent)


def sync_file(path: Path) -> None:
    """Wait until a file's content, or a folder's names, are on the disk."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
