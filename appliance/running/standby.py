"""Which cell is up already when the next job comes? Keeps one waiting, and makes the next as soon as one is taken.

A berth is a waiting cell with the two folders of the host that are mounted into it, both empty: the job's socket will
appear in one when the robot is armed, and the job's source moves into the other. That one then takes the source's place
by a rename, which a mount follows. One berth per job; it never comes back.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.errors import EngineError, EngineRefusal
from appliance.paths import Paths
from appliance.running.cell import Cell, Cells, Fitting, Spec

#: After a cell could not be made, none is tried ahead for this long; and how often one that waits is looked at.
RETRY_S: Final = 5.0
CHECK_S: Final = 1.0
#: Beside the jobs' folders, as a source moves between them by renaming.
_FOLDER: Final = ".cells"

_log = logging.getLogger("runner")

#: The specification of a cell for a session (16 hex digits) whose source folder is the given one.
MakeSpec = Callable[[str, Path, Fitting], Spec]


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


class Standby:
    """The cell for the next job. `tend`, `take`, `put_away` and `close` are for one thread, the runner's."""

    def __init__(self, cells: Cells, make_spec: MakeSpec, paths: Paths, usual: Fitting) -> None:
        """`usual` is what most jobs need of a cell; one of that kind is kept waiting."""
        self._cells, self._make_spec, self._paths, self._usual = cells, make_spec, paths, usual
        self._waiting: Berth | None = None
        self._taken: Berth | None = None
        self._making: threading.Thread | None = None
        self._removing: threading.Thread | None = None
        self._refusal = ""
        self._due_s = float("-inf")

    def problem(self) -> str:
        """Why no job can have a cell, as a sentence; '' if it can."""
        return self._cells.problem() or self._refusal

    def clear(self) -> None:
        """Remove what an earlier runner left. Raises EngineError; the folders are gone even then."""
        shutil.rmtree(self._paths.job(_FOLDER), ignore_errors=True)
        self._cells.sweep()

    def tend(self, now_s: float) -> None:
        """Have a cell made if none waits, in a thread; never waits itself."""
        if now_s < self._due_s or self._is_making():
            return
        self._due_s = now_s + CHECK_S
        if self._waiting is not None and not _is_sound(self._waiting):
            self._discard(self._waiting)
            self._waiting = None
        if self._waiting is None:
            self._making = threading.Thread(target=self._make_ahead, name="standby", daemon=True)
            self._making.start()

    def take(self, fitting: Fitting) -> Berth:
        """The waiting cell if it fits, else a new one. Raises EngineError. `put_away` it in any case."""
        self.wait_until_gone()
        if self._making is not None:
            self._making.join()
        berth, self._waiting = self._waiting, None
        if berth is not None and (berth.spec.fitting != fitting or not _is_sound(berth)):
            self._discard(berth)
            berth = None
        self._taken = berth or self._made(fitting)
        self._due_s = float("-inf")
        return self._taken

    def put_away(self, berth: Berth) -> None:
        """The job has ended: its cell goes, in a thread. What an absent engine keeps is swept later."""
        self._removing = threading.Thread(target=self._remove, args=(berth,), name="removal", daemon=True)
        self._removing.start()

    def wait_until_gone(self) -> None:
        """Return when nothing is left of the cell that was put away."""
        if self._removing is not None:
            self._removing.join()

    def close(self) -> None:
        """Leave nothing waiting."""
        self.wait_until_gone()
        if self._making is not None:
            self._making.join()
        if self._waiting is not None:
            self._discard(self._waiting)
        self._waiting = None

    def _is_making(self) -> bool:
        return self._making is not None and self._making.is_alive()

    def _make_ahead(self) -> None:
        try:
            self._waiting = self._made(self._usual)
        except EngineRefusal as error:
            if str(error) != self._refusal:
                _log.warning("no cell can be made: %s", error)
            self._refusal = str(error)
        except (EngineError, OSError) as error:
            _log.warning("no cell is kept waiting: %s", error)
        else:
            self._refusal = ""
            return
        self._due_s = time.monotonic() + RETRY_S

    def _made(self, fitting: Fitting) -> Berth:
        """A new berth; what another runner or an engine that was away has left is removed first."""
        self._cells.sweep(keep=(self._taken.spec.name,) if self._taken else ())
        session = f"{secrets.randbits(64) or 1:016x}"
        spec = self._make_spec(session, self._paths.job(_FOLDER) / session, fitting)
        try:
            _make_folders(spec)
            folders = (_identity(spec.source), _identity(spec.session))
            return Berth(session, spec, self._cells.create(spec), folders)
        except BaseException:
            _remove_folders(spec)
            raise

    def _remove(self, berth: Berth) -> None:
        self._discard(berth)
        self._taken = None

    def _discard(self, berth: Berth) -> None:
        with contextlib.suppress(EngineError):
            berth.cell.remove()
        _remove_folders(berth.spec)


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


def _is_sound(berth: Berth) -> bool:
    """Whether it still waits, for what is mounted into it."""
    try:
        berth.check()
    except EngineError:
        return False
    return _identity(berth.spec.source) == berth.folders[0]


def _identity(folder: Path) -> tuple[int, int]:
    try:
        found = folder.stat()
    except OSError:
        return (0, 0)
    return (found.st_dev, found.st_ino)
