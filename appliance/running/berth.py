"""What is a cell's place on the host? The waiting cell, and the two folders that are mounted into it.

Both are empty at first: the job's socket will appear in one when the robot is armed, and the job's source moves into
the other. That one then takes the source's place by a rename, which a mount follows. One berth per job; it never comes back.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from appliance.errors import EngineError
from appliance.running.cell import Cell, Cells, Spec


@dataclass(frozen=True)
class Berth:
    """A waiting cell of one session. `folders`: what was mounted into it, by device and inode."""

    session: str
    spec: Spec
    cell: Cell
    folders: tuple[tuple[int, int], ...]

    def move_in(self, source: Path) -> None:
        """Put the prepared folder `source` into the cell. Raises OSError.

        run.py goes first: whatever cuts this short leaves nothing that looks like a prepared source.
        """
        for entry in sorted(source.iterdir(), key=lambda entry: entry.name != "run.py"):
            entry.rename(self.spec.source / entry.name)
        source.rmdir()
        self.spec.source.rename(source)

    def check(self) -> None:
        """Raises EngineError unless it waits, and the folder of the job's socket is the one that is mounted."""
        if self.cell.wait(0.0):
            raise EngineError("The cell that waited for this job has ended.")
        if _identity(self.spec.session) != self.folders[1]:
            raise EngineError("The folder of the job's socket was replaced while its cell waited.")

    @property
    def is_sound(self) -> bool:
        """Whether it still waits, for what is mounted into it."""
        try:
            self.check()
        except EngineError:
            return False
        return _identity(self.spec.source) == self.folders[0]

    def remove(self) -> None:
        """Leave nothing of it; what an absent engine keeps is swept later."""
        with contextlib.suppress(EngineError):
            self.cell.remove()
        _remove_folders(self.spec)


def make(cells: Cells, session: str, spec: Spec) -> Berth:
    """A new berth. Raises EngineError or OSError; nothing is left behind then."""
    try:
        _make_folders(spec)
        folders = (_identity(spec.source), _identity(spec.session))
        return Berth(session, spec, cells.create(spec), folders)
    except BaseException:
        _remove_folders(spec)
        raise


def _make_folders(spec: Spec) -> None:
    """The cell's user looks into both, whatever our umask is; the gateway makes a socket in the second."""
    spec.source.mkdir(parents=True)
    spec.source.chmod(0o755)
    spec.session.mkdir(parents=True)
    os.chown(spec.session, -1, os.getegid())  # the guard's user is in the runner's group
    spec.session.chmod(0o775)


def _remove_folders(spec: Spec) -> None:
    shutil.rmtree(spec.source, ignore_errors=True)
    shutil.rmtree(spec.session, ignore_errors=True)


def _identity(folder: Path) -> tuple[int, int]:
    try:
        found = folder.stat()
    except OSError:
        return (0, 0)
    return (found.st_dev, found.st_ino)
