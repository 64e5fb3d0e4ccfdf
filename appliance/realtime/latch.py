"""Where does a decision outlive everything? In one small file that the guard writes and syncs.

Two of them keep the motor off: an emergency stop, and a robot that is out of service. Whatever can't be read counts as
latched: a torn or foreign file never lets the motor run.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Generic, TypeVar

import msgspec


class LatchedStop(msgspec.Struct, frozen=True, kw_only=True):
    """Who stopped the robot, why, and when (seconds since the epoch)."""

    who: str
    why: str
    at: float


class Retirement(msgspec.Struct, frozen=True, kw_only=True):
    """Why the robot is out of service, as a sentence, and since when (seconds since the epoch)."""

    why: str
    at: float


Content = TypeVar("Content", bound=LatchedStop | Retirement)


class Latch(Generic[Content]):
    """A latch file. `unreadable` stands for one that can't be read. Only the guard makes one of these."""

    def __init__(self, path: Path, unreadable: Content) -> None:
        self._path = path
        self._unreadable: Content = unreadable

    def read(self) -> Content | None:
        """What is latched; None when nothing is."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=type(self._unreadable))
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            return msgspec.structs.replace(self._unreadable, why=f"{self._unreadable.why} ({error})")

    def set(self, content: Content) -> None:
        """Latch durably: file and folder are synced. Raises OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_name(f"{self._path.name}.new")
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
        try:
            os.write(handle, msgspec.json.encode(content))
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


def stop_latch(path: Path) -> Latch[LatchedStop]:
    """The latch of the emergency stop."""
    return Latch(path, LatchedStop(who="guard", why="the stop file can't be read", at=0.0))


def retirement_latch(path: Path) -> Latch[Retirement]:
    """The latch of a robot that is out of service."""
    return Latch(path, Retirement(why="the file that says whether it is in service can't be read", at=0.0))
