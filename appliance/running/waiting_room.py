"""Who is next, and may it start? Holds the queue when nothing can run, claims the next job and gets it ready.

`tend()` is called many times a second, also while another job drives; it never waits. Looking costs microseconds
as long as nobody has changed the database (PRAGMA data_version), so a new job is seen within one round.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from appliance import facts
from appliance.config import Config
from appliance.errors import BadSource
from appliance.jobs import Reason, State
from appliance.paths import Paths
from appliance.running import holds, lease, preparation, recovery
from appliance.running.holds import Circumstances, Hold
from appliance.running.preparation import Outcome, Preparation, Prepare
from appliance.store import Job, Store

#: How old the judgement may be on which a job is started.
HOLD_AGE_S: Final = 1.0
#: And how old while nothing can start.
HELD_AGE_S: Final = 0.25
#: After something passing went wrong, nothing is tried again for this long.
RETRY_S: Final = 2.0
#: A source that breaks the appliance's own tools this often is given up.
_PASSING_FAILURES: Final = 3
_TIDY_S: Final = 30.0

_log = logging.getLogger("runner")


@dataclass(frozen=True)
class Setting:
    """What the waiting room works with; all of it lives longer. problem: why no job can have a cell, '' if it can.

    prepared: called from another thread when a preparation has ended, so that nobody needs to look all the time.
    """

    store: Store
    paths: Paths
    config: Config
    problem: Callable[[], str]
    prepare: Prepare
    prepared: Callable[[], None]


class WaitingRoom:
    """The jobs before the robot. For the runner's main thread only."""

    def __init__(self, setting: Setting) -> None:
        self._store, self._setting = setting.store, setting
        self._preparation = Preparation(setting.prepare, setting.paths, setting.prepared)
        self._ready: Outcome | None = None
        self._hold: Hold | None = None
        self._hold_at_s = self._beat_at_s = self._tidy_at_s = float("-inf")
        self._retry_at_s: float | None = None
        self._stale = True
        self._paused = ""
        self._failures: Counter[str] = Counter()

    def tend(self, *, robot_is_free: bool) -> None:
        """Do what can be done without waiting."""
        now_s = time.monotonic()
        if now_s - self._beat_at_s >= facts.HEARTBEAT_S:
            self._beat_at_s = now_s
            self._store.set_fact(facts.RUNNER_HEARTBEAT, f"{time.time():.1f}", time.time(), announce=False)
        if robot_is_free and now_s - self._hold_at_s >= (HOLD_AGE_S if self._hold is None else HELD_AGE_S):
            self._judge(now_s)
        if robot_is_free and now_s - self._tidy_at_s >= _TIDY_S:
            self._tidy_at_s = now_s
            recovery.discard_uploads(self._store, self._setting.paths)
        if self._preparation.is_done:
            self._picked_up(self._preparation.take(), robot_is_free=robot_is_free)
        if self._retry_at_s is not None and now_s >= self._retry_at_s:
            self._retry_at_s, self._stale = None, True
        if self._store.changed() or self._stale:
            self._stale = False
            self._look()

    def next_ready(self) -> Job | None:
        """The job that may have the robot now, moved to `waiting_for_robot`; None if there is none."""
        if self._ready is None or self._hold is not None:
            return None
        outcome, self._ready = self._ready, None
        self._stale = True
        return self._store.move(
            outcome.job.id, State.WAITING_FOR_ROBOT, time.time(), Reason.SETTLING, commit_id=outcome.commit_id
        )

    def pause(self) -> None:
        """Something passing went wrong: judge anew, and try again in a while."""
        self._retry_at_s = time.monotonic() + RETRY_S
        self._judge(time.monotonic())

    def yield_to_front(self) -> None:
        """Another job goes to the front of the queue: what is ready or being prepared takes its place behind it."""
        self._put_back_ready(Reason.NONE, "")
        self.empty(RETRY_S)

    def empty(self, patience_s: float) -> None:
        """Put everything back into the queue; what is being prepared gives up."""
        self._put_back_ready(Reason.NONE, "")
        job = self._preparation.job
        if job is None:
            return
        self._preparation.cancel()
        if self._preparation.wait(patience_s):
            self._preparation.take()
        self._store.put_back(job.id, time.time(), Reason.NONE)
        self._stale = True

    # --- the queue ------------------------------------------------------------------------------------------

    def _judge(self, now_s: float) -> None:
        """Look at everything that a start depends on, and tell whoever waits."""
        store, config = self._store, self._setting.config
        robot = lease.status(self._setting.paths.control("runner"))
        before = store.fact(facts.QUEUE_PAUSED)
        paused = holds.pause_after(before, robot)
        if paused != before:
            store.set_fact(facts.QUEUE_PAUSED, paused, time.time())
        self._paused = paused
        free_mb = shutil.disk_usage(self._setting.paths.data).free >> 20
        circumstances = Circumstances(paused, free_mb, config.storage.min_free_mb, self._setting.problem(), robot)
        hold = holds.judge(circumstances)
        self._hold_at_s = now_s
        if hold != self._hold:
            _log.info("the queue %s", f"waits: {hold.sentence}" if hold else "goes on")
            self._hold, self._stale = hold, True
            store.set_fact(facts.QUEUE_HOLD, hold.sentence if hold else "", time.time())
            if hold is not None:
                self._put_back_ready(hold.reason, hold.sentence)

    def _look(self) -> None:
        """Somebody changed something: heed a pause, cancellations and the owner's order, claim, explain."""
        if self._store.fact(facts.QUEUE_PAUSED) != self._paused:
            self._judge(time.monotonic())
        self._heed_cancellation()
        self._give_way()
        may_claim = self._hold is None and self._ready is None and self._retry_at_s is None
        if may_claim and self._preparation.is_idle:
            job = self._store.claim(time.time())
            if job is not None:
                _log.info("%s preparing (attempt %d)", job.id, job.attempt)
                self._preparation.begin(job)
        self._explain()

    def _heed_cancellation(self) -> None:
        if self._preparation.job is not None and self._store.get(self._preparation.job.id).cancel_requested:
            self._preparation.cancel()
        if self._ready is not None and self._store.get(self._ready.job.id).cancel_requested:
            job, self._ready = self._ready.job, None
            self._end(job, State.CANCELLED, Reason.BY_USER, "Cancelled before it ran.")

    def _give_way(self) -> None:
        """The owner has put another job before the one that is ready: that goes back, and stays prepared on the disk."""
        if self._ready is None or self._ready.job.attempt > 1:
            return
        ready = self._store.get(self._ready.job.id)
        if any(other.priority > ready.priority and other.attempt == 1 for other in self._store.queue()):
            _log.info("%s gives way", ready.id)
            self._put_back_ready(Reason.NONE, "")

    def _explain(self) -> None:
        """Give everybody in the queue the reason why it waits."""
        for place, job in enumerate(self._store.queue()):
            if job.reason is Reason.INTERRUPTED:
                continue  # says more than its place
            if place == 0 and self._retry_at_s is not None and self._hold is None:
                continue  # so does what made it come back, until it is tried again
            reason, detail = (self._hold.reason, self._hold.sentence) if self._hold else (Reason.NONE, "")
            if self._hold is None and (place > 0 or not self._preparation.is_idle or self._ready is not None):
                reason = Reason.BEHIND_OTHERS
            if (job.reason, job.detail) != (reason, detail):
                self._store.explain(job.id, time.time(), reason, detail)

    # --- preparation ----------------------------------------------------------------------------------------

    def _picked_up(self, outcome: Outcome, *, robot_is_free: bool) -> None:
        job, error = outcome.job, outcome.error
        self._stale = True
        if self._store.get(job.id).cancel_requested or preparation.is_cancelled(error):
            self._end(job, State.CANCELLED, Reason.BY_USER, "Cancelled before it ran.")
        elif error is None:
            self._ready = outcome
            if not robot_is_free:
                self._store.explain(job.id, time.time(), Reason.READY, commit_id=outcome.commit_id)
        elif isinstance(error, BadSource):
            self._end(job, State.FAILED, Reason.BAD_SOURCE, str(error))
        elif preparation.is_passing(error) and self._failures[job.id] + 1 < _PASSING_FAILURES:
            _log.warning("%s could not be prepared: %s", job.id, error)
            self._failures[job.id] += 1
            self._store.put_back(job.id, time.time(), Reason.INTERNAL_ERROR, str(error))
            self.pause()
        else:
            _log.error("%s could not be prepared", job.id, exc_info=error)
            text = f"The appliance itself failed while preparing this job ({error}). Its log tells more."
            self._end(job, State.FAILED, Reason.INTERNAL_ERROR, text)

    def _end(self, job: Job, state: State, reason: Reason, detail: str) -> None:
        now_s = time.time()
        self._store.move(job.id, state, now_s, reason, detail, ended_at=now_s)
        recovery.discard_never_run(job, self._setting.paths)
        self._failures.pop(job.id, None)
        _log.info("%s %s (%s)", job.id, state, detail)

    def _put_back_ready(self, reason: Reason, detail: str) -> None:
        if self._ready is not None:
            outcome, self._ready = self._ready, None
            self._store.explain(outcome.job.id, time.time(), Reason.NONE, commit_id=outcome.commit_id)
            self._store.put_back(outcome.job.id, time.time(), reason, detail)
            self._stale = True
