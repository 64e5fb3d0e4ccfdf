"""How is a job made ready, step by step? Its source, its packages, and on request a trial on the simulation."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from appliance.config import Config
from appliance.intake import preparing
from appliance.intake.isolation import Child
from appliance.intake.preparing import Prepared
from appliance.jobs import Reason
from appliance.layers.kit import Kit
from appliance.paths import Paths
from appliance.running import preflight
from appliance.running.cell import Fitting, Spec
from appliance.running.preflight import Trial
from appliance.store import Job, Store


@dataclass(frozen=True)
class Readiness:
    """What makes jobs ready. make_spec: a cell for a session (16 hex digits), a source folder and a fitting.

    child: gives a confined child that waits for an archive, if there is one.
    """

    paths: Paths
    config: Config
    kit: Kit
    trial: Trial
    make_spec: Callable[[str, Path, Fitting], Spec]
    child: Callable[[], Child | None] = preparing.no_child

    def prepare(self, job: Job, cancelled: Callable[[], bool]) -> Prepared:
        """Make a job ready, and tell its submitter what there is to tell. Runs in the preparation's thread.

        Raises BadSource, Cancelled, EngineError, IsolationError, OSError.
        """
        store = Store(self.paths.database)
        try:
            prepared = preparing.prepare(
                job,
                self.paths,
                self.config,
                lambda path: self.kit.equip(job, path, store, cancelled),
                cancelled,
                self.child,
            )
            notes = [*prepared.notes]
            store.annotate(job.id, notes, time.time())
            if job.preflight:
                store.progress(job.id, Reason.TRYING, time.time())
                notes.append(self._tried(job, cancelled))
                store.annotate(job.id, notes, time.time())
        finally:
            store.close()
        return prepared

    def _tried(self, job: Job, cancelled: Callable[[], bool]) -> str:
        spec = self.make_spec(f"{secrets.randbits(64):016x}", self.paths.source(job.id), self.kit.fitting(job))
        return preflight.try_out(spec, self.trial, self.paths.job(job.id) / "trial", cancelled)
