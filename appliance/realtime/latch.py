"""Where does an emergency stop outlive everything? In one small file that the guard writes and syncs.

Whatever can't be read counts as a stop: a torn or foreign file never lets the motor run.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec


class LatchedStop(msgspec.Struct, frozen=True, kw_only=True):
    """Who stopped the robot, why, and when (seconds since the epoch)."""

    who: str
    why: str
    at: float


class Latch:
    """The latch file. Only the guard makes one of these."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> LatchedStop | None:
        """The latched stop; None when none is."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=LatchedStop)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            return LatchedStop(who="guard", why=f"the stop file can't be read ({error})", at=0.0)

    def set(self, stop: LatchedStop) -> None:
        """Latch durably: file and folder are synced. Raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_name("new")
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
        try:
            os.write(handle, msgspec.json.encode(stop))
            os.fsync(handle)
        finally:
            os.close(handle)
        new.replace(self._path)
        self._sync_folder()

    def clear(self) -> None:
        """Release durably. Idempotent. Raises OSError."""
        self._path.unlink(missing_ok=True)
        if self._path.parent.exists():
            self._sync_folder()

    def _sync_folder(self) -> None:
        handle = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
