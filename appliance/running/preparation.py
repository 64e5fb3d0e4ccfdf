"""How is the next job made ready while the present one runs? In a thread, one at a time, with a result to pick up."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance import durable
from appliance.errors import Cancelled, IsolationError
from appliance.intake.preparing import Prepared
from appliance.paths import Paths
from appliance.store import Job

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")

#: Fills the job's source folder; the second argument says whether to give up.
Prepare = Callable[[Job, Callable[[], bool]], Prepared]


@dataclass(frozen=True)
class Outcome:
    """A job whose preparation has ended. error: what was raised, None if the source is ready."""

    job: Job
    commit_id: str
    error: Exception | None


class Preparation:
    """One preparation at a time. For the runner's main thread only; `prepare` runs in another one, and `ring` at its end."""

    def __init__(self, prepare: Prepare, paths: Paths, ring: Callable[[], None]) -> None:
        self._prepare, self._paths, self._ring = prepare, paths, ring
        self._thread: threading.Thread | None = None
        self._cancelled = threading.Event()
        self._outcome: Outcome | None = None
        self.job: Job | None = None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being prepared, and nothing waits to be picked up."""
        return self.job is None

    @property
    def is_done(self) -> bool:
        """Whether there is an outcome to pick up."""
        return self._outcome is not None

    def begin(self, job: Job) -> None:
        """Start preparing `job`."""
        self.job, self._outcome = job, None
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(job, self._cancelled), name="preparation", daemon=True)
        self._thread.start()

    def take(self) -> Outcome:
        """Pick up the outcome; the next job may begin then."""
        assert self._outcome is not None
        assert self._thread is not None
        self._thread.join()
        outcome, self._outcome, self.job = self._outcome, None, None
        return outcome

    def cancel(self) -> None:
        """Ask what runs to give up; its outcome then says Cancelled, or that it was done already."""
        self._cancelled.set()

    def wait(self, timeout_s: float) -> bool:
        """Wait for the outcome; False if there is none in time."""
        if self._thread is not None:
            self._thread.join(timeout_s)
        return self.is_done

    def _run(self, job: Job, cancelled: threading.Event) -> None:
        try:
            outcome = Outcome(job, self._commit(job, cancelled.is_set), None)
        except Exception as error:  # noqa: BLE001 - the thread's edge: the runner's main thread judges it
            outcome = Outcome(job, "", error)
        self._outcome = outcome
        self._ring()

    def _commit(self, job: Job, cancelled: Callable[[], bool]) -> str:
        """Prepare, unless that was done for an earlier attempt since the machine started: its repository may be gone."""
        stamp = self._paths.job(job.id) / "prepared"
        mark = f"{job.commit_id} {_BOOT_ID.read_text()}"
        with contextlib.suppress(OSError):
            if job.commit_id and stamp.read_text() == mark and (self._paths.source(job.id) / "run.py").is_file():
                return job.commit_id
        commit_id = self._prepare(job, cancelled).commit_id
        durable.write(stamp, f"{commit_id} {_BOOT_ID.read_text()}".encode(), sync=False)
        return commit_id


def is_passing(error: Exception) -> bool:
    """Whether a preparation failed by the appliance's state, not by what was submitted: it may work later."""
    return isinstance(error, OSError | IsolationError)


def is_cancelled(error: Exception | None) -> bool:
    """Whether it was given up."""
    return isinstance(error, Cancelled)
