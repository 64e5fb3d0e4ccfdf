"""Which cell is up already when the next job comes? Keeps one waiting, and makes the next as soon as one is taken.

Before the first one, the limits of such a cell are tried (`enforcement`).
"""

from __future__ import annotations

import logging
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from appliance.errors import EngineError, EngineRefusal
from appliance.paths import Paths
from appliance.running import berth, proof
from appliance.running.berth import Berth
from appliance.running.cell import Cells, Fitting, Spec
from appliance.running.enforcement import Enforcement

#: After a cell could not be made, none is tried ahead for this long; and how often one that waits is looked at.
RETRY_S: Final = 5.0
CHECK_S: Final = 1.0
#: Beside the jobs' folders, as a source moves between them by renaming.
_FOLDER: Final = ".cells"

_log = logging.getLogger("runner")

#: The specification of a cell for a session (16 hex digits) whose source folder is the given one.
MakeSpec = Callable[[str, Path, Fitting], Spec]


class Standby:
    """The cell for the next job. `tend`, `take`, `put_away` and `close` are for one thread, the runner's."""

    def __init__(self, cells: Cells, make_spec: MakeSpec, paths: Paths, usual: Fitting, limits: Enforcement) -> None:
        """`usual` is what most jobs need of a cell; one of that kind is kept waiting."""
        self._cells, self._make_spec, self._paths, self._usual = cells, make_spec, paths, usual
        self._limits = limits
        self._waiting: Berth | None = None
        self._taken: Berth | None = None
        self._making: threading.Thread | None = None
        self._removing: threading.Thread | None = None
        self._refusal = ""
        self._due_s = float("-inf")

    def problem(self) -> str:
        """Why no job can have a cell, as a sentence; '' if it can."""
        return self._cells.problem() or self._refusal or self._limits.objection()

    def clear(self) -> None:
        """Remove what an earlier runner left. Raises EngineError; the folders are gone even then."""
        shutil.rmtree(self._paths.job(_FOLDER), ignore_errors=True)
        self._cells.sweep()

    def tend(self, now_s: float) -> None:
        """Have a cell made if none waits, in a thread; never waits itself."""
        if now_s < self._due_s or self._is_making():
            return
        self._due_s = now_s + CHECK_S
        if self._waiting is not None and not self._waiting.is_sound:
            self._waiting.remove()
            self._waiting = None
        if self._waiting is None and not (self._limits.is_over and self._limits.objection()):
            self._making = threading.Thread(target=self._make_ahead, name="standby", daemon=True)
            self._making.start()

    def take(self, fitting: Fitting) -> Berth:
        """The waiting cell if it fits, else a new one. Raises EngineError. `put_away` it in any case."""
        self.wait_until_gone()
        if self._making is not None:
            self._making.join()
        if objection := self._limits.objection():
            raise EngineError(objection)
        found, self._waiting = self._waiting, None
        if found is not None and (found.spec.fitting != fitting or not found.is_sound):
            found.remove()
            found = None
        try:
            self._taken = found or self._made(fitting)
        except EngineRefusal as error:
            if fitting == self._usual:  # no job would fare better: all wait until a cell can be made again
                self._refusal = str(error)
            raise
        self._due_s = float("-inf")
        return self._taken

    def place(self, elsewhere: Cells, gid: int) -> Berth:
        """A berth for what isn't run here; the group `gid` gets the job's socket. Raises EngineError. `put_away` it."""
        self.wait_until_gone()
        session, spec = self._spec(self._usual)
        return berth.make(elsewhere, session, replace(spec, limits=replace(spec.limits, uid=gid)))

    def put_away(self, gone: Berth) -> None:
        """The job has ended: its cell goes, in a thread. What an absent engine keeps is swept later."""
        self._removing = threading.Thread(target=self._remove, args=(gone,), name="removal", daemon=True)
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
            self._waiting.remove()
        self._waiting = None

    def _is_making(self) -> bool:
        return self._making is not None and self._making.is_alive()

    def _make_ahead(self) -> None:
        try:
            if not self._limits.is_over:
                self._try_limits()
            if not self._limits.objection():
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

    def _try_limits(self) -> None:
        session, spec = self._spec(self._usual)
        spec = proof.small(spec)
        self._limits.recall(spec)
        if not self._limits.is_over:
            self._sweep()
            trial = berth.make(self._cells, session, spec)
            try:
                self._limits.run(trial)
            finally:
                trial.remove()

    def _made(self, fitting: Fitting) -> Berth:
        """A new berth; what another runner or an engine that was away has left is removed first."""
        self._sweep()
        return berth.make(self._cells, *self._spec(fitting))

    def _sweep(self) -> None:
        self._cells.sweep(keep=(self._taken.spec.name,) if self._taken else ())

    def _spec(self, fitting: Fitting) -> tuple[str, Spec]:
        session = f"{secrets.randbits(64) or 1:016x}"
        return session, self._make_spec(session, self._paths.job(_FOLDER) / session, fitting)

    def _remove(self, gone: Berth) -> None:
        gone.remove()
        self._taken = None
