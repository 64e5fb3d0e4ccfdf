"""What is kept of a job? The camera's pictures as they came, one after the other in a file, and a list of when and where.

The list's format is `appliance.camera.listing`'s. Both files only grow, and a picture is listed after it is written: after a power cut what is listed is there. A recording
ends at its own limit, or when the disk gets too full; before one begins, the oldest ones make room for it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.camera import listing
from appliance.camera.listing import Entry
from appliance.config import CameraSection, StorageSection
from appliance.paths import Paths

#: Matches the names of all recordings in a job's folder.
PATTERN: Final = "camera-?.mjpeg"
_MIB: Final = 2**20
_LOOK_AT_DISK_BYTES: Final = 8 * _MIB

_log = logging.getLogger("camera")


@dataclass(frozen=True)
class Run:
    """One attempt that may be recorded."""

    job_id: str
    attempt: int


class Recorder:
    """Records one run at a time. is_pinned: whether a job's data never make room."""

    def __init__(
        self, paths: Paths, camera: CameraSection, storage: StorageSection, is_pinned: Callable[[str], bool]
    ) -> None:
        self._paths, self._camera, self._storage, self._is_pinned = paths, camera, storage, is_pinned
        self._run: Run | None = None
        self._recording: _Recording | None = None

    def follow(self, run: Run | None) -> None:
        """Record this run from now on; None: nothing runs."""
        if run == self._run:
            return
        self.close()
        self._run = run
        if run is not None and self._camera.record:
            self._recording = self._begun(run)

    def add(self, picture: bytes, taken_at: float) -> None:
        """Keep a picture, if there is something to record. taken_at: s since the epoch."""
        if self._recording is None or self._run is None:
            return
        try:
            goes_on = self._recording.add(picture, taken_at)
        except OSError as error:
            _log.warning("the recording of %s ends: %s", self._run.job_id, error)
            goes_on = False
        if not goes_on:
            self._end()

    def close(self) -> None:
        """End what is being recorded."""
        self._end()
        self._run = None

    def _end(self) -> None:
        if self._recording is not None:
            self._recording.close()
            self._recording = None

    def _begun(self, run: Run) -> _Recording | None:
        path = self._paths.recording(run.job_id, run.attempt)
        least_free = self._storage.min_free_mb * _MIB
        try:
            most = min(self._camera.job_mb * _MIB, self._room(path) + _taken(path))
            if most <= _taken(path) or _free(path.parent) < least_free:
                _log.warning("%s isn't recorded: there is no room for it", run.job_id)
                return None
            return _Recording(path, most, least_free)
        except OSError as error:
            _log.warning("%s can't be recorded: %s", run.job_id, error)
            return None

    def _room(self, new: Path) -> int:
        """How much may be written: of the budget, what is left when the oldest recordings have made way for a whole one."""
        budget, wanted = self._storage.recordings_mb * _MIB, self._camera.job_mb * _MIB
        found = sorted((path.stat().st_mtime, path) for path in self._paths.data.glob(f"jobs/*/{PATTERN}"))
        total = sum(_taken(path) for _, path in found)
        for _, path in found:
            if total + wanted <= budget:
                break
            if path != new and not self._is_pinned(path.parent.name):
                total -= _taken(path)
                discard(path)
        return budget - total


class _Recording:
    """Two open files. most: bytes of pictures, with those that a process which fell in the middle has left."""

    def __init__(self, path: Path, most: int, least_free: int) -> None:
        self._least_free = least_free
        self._folder = path.parent
        self._folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._pictures = os.open(path, flags, 0o640)
        try:
            self._list = os.open(path.with_suffix(".csv"), flags, 0o640)
        except OSError:
            os.close(self._pictures)
            raise
        self._size, self._limit = os.fstat(self._pictures).st_size, most
        self._look_at = self._size + _LOOK_AT_DISK_BYTES
        if not os.fstat(self._list).st_size:
            os.write(self._list, listing.HEADER)

    def add(self, picture: bytes, taken_at: float) -> bool:
        """Write a picture; False when there shall be no further one. Raises OSError."""
        if self._size + len(picture) > self._limit:
            return False
        offset = self._size
        written = os.write(self._pictures, picture)
        self._size += written
        if written < len(picture):
            return False
        os.write(self._list, listing.line(Entry(taken_at, offset, len(picture))))
        if self._size >= self._look_at:
            self._look_at = self._size + _LOOK_AT_DISK_BYTES
            return _free(self._folder) >= self._least_free
        return True

    def close(self) -> None:
        """Nothing more comes."""
        os.close(self._pictures)
        os.close(self._list)


def discard(path: Path) -> None:
    """Remove a recording with its list; the list first, so that nothing is listed that isn't there."""
    with contextlib.suppress(OSError):
        path.with_suffix(".csv").unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def _taken(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _free(folder: Path) -> int:
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
