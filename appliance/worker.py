"""Who works on the queue? One job at a time, from its source to its results.

One thread decides; others only read output, refresh the lease, or prepare the next job. A runner that was stopped or
killed at any point leaves a state from which the next one goes on: see `_recover`.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance import facts, fleet_lease, jobs
from appliance.config import Config
from appliance.errors import EngineError
from appliance.intake.preparing import Prepared
from appliance.jobs import Reason, State
from appliance.notify import Notifier
from appliance.paths import Paths
from appliance.realtime.cores import loop_core
from appliance.running import (
    attempt,
    cell,
    collecting,
    lease,
    recovery,
    remote_cell,
    results,
    retention,
)
from appliance.running.attempt import NotStarted, Tools
from appliance.running.berth import Berth
from appliance.running.cell import Cells, Fitting, Limits, Spec
from appliance.running.enforcement import Enforcement, Leniency
from appliance.running.preparation import Prepare
from appliance.running.record import Record
from appliance.running.remote_cell import ClientGone, Elsewhere
from appliance.running.standby import Standby
from appliance.running.verdict import Cause
from appliance.running.waiting_room import Setting, WaitingRoom
from appliance.shapes import Report
from appliance.store import GUEST, Job, Store

#: How soon a new job is seen: the longest sleep of an idle runner.
ROUND_S: Final = 0.01
_DISK_RETRY_S: Final = 2.0
_ROOM_S: Final = 10.0
_PREPARATION_PATIENCE_S: Final = 2.0
#: How often the cell of a job is tried while others can be made.
_REFUSALS: Final = 3
_COLLECTING_S: Final = 5.0

_log = logging.getLogger("runner")


@dataclass(frozen=True)
class Parts:
    """What a runner is made of. stopping: set when it is to end. image: tag of the job image most jobs use.

    fitting: the image of one job, and packages on top of it. advice: what helps a job that ended so.
    tend: called all the time with the monotonic time, for what is kept ready beside the cell.
    """

    paths: Paths
    config: Config
    store: Store
    cells: Cells
    prepare: Prepare
    image: str
    fitting: Callable[[Job], Fitting]
    robot_file: Path
    results: results.Setting
    notifier: Notifier
    stopping: threading.Event
    advice: Callable[[Job, str], str] = lambda _job, _detail: ""
    tend: Callable[[float], None] = lambda _now_s: None


class Runner:
    """The queue's one worker."""

    def __init__(self, parts: Parts) -> None:
        self._parts, self._store, self._boot = parts, parts.store, fleet_lease.boot_id()
        self._told = parts.store.fact(facts.UNENFORCED)
        self._refusals: Counter[str] = Counter()
        self._room_at_s = float("-inf")
        leniency = Leniency(parts.config.robot.link == "twin", parts.config.sandbox.allow_unenforced)
        self._limits = Enforcement(parts.cells, parts.paths, leniency)
        self._standby = Standby(parts.cells, self._spec, parts.paths, Fitting(parts.image), self._limits)
        self._bell = threading.Event()
        self._room = WaitingRoom(
            Setting(
                parts.store, parts.paths, parts.config, self._standby.problem, self._prepare, prepared=self._bell.set
            )
        )

    def serve(self) -> None:
        """Put right what an earlier runner left, then work until `stopping` is set."""
        try:
            self._serve()
        finally:
            self._standby.close()

    def _serve(self) -> None:
        self._recover()
        while not self._parts.stopping.is_set():
            self._room.tend(robot_is_free=True)
            self._look_after()
            self._make_room()
            job = self._room.next_ready()
            if job is None:
                self._bell.wait(ROUND_S)
                self._bell.clear()
            else:
                self._run(job)
        self._room.empty(_PREPARATION_PATIENCE_S)

    def _look_after(self) -> None:
        """Called many times a second, whatever goes on."""
        now_s = time.monotonic()
        self._parts.notifier.alive(now_s)
        self._standby.tend(now_s)
        self._parts.tend(now_s)
        if self._told != self._limits.warning():
            self._told = self._limits.warning()
            self._store.set_fact(facts.UNENFORCED, self._told, time.time())

    def _make_room(self) -> None:
        """Now and then, while nothing drives: clear old results where the disk fills."""
        if time.monotonic() < self._room_at_s:
            return
        self._room_at_s = time.monotonic() + _ROOM_S
        cleared = retention.make_room(self._store, self._parts.paths, self._parts.config.storage)
        if cleared:
            _log.info("results of %d old jobs were cleared to make room", len(cleared))

    # --- one job ----------------------------------------------------------------------------------------------

    def _run(self, job: Job) -> None:
        _log.info("%s waiting_for_robot", job.id)
        tools = Tools(
            paths=self._parts.paths,
            config=self._parts.config,
            robot_file=self._parts.robot_file,
            standby=self._standby,
            take=self._take,
            objection=lambda: self._objection(job),
            watch=lambda: self._watch(job),
            started=lambda at_s: self._started(job.id, at_s),
        )
        try:
            record = attempt.perform(job, tools)
        except NotStarted as cause:
            self._not_started(job, cause)
        else:
            self._complete(self._store.get(job.id), record)

    def _take(self, job: Job) -> Berth:
        """Where a job runs: in its cell; or elsewhere, by way of the lease service. Raises EngineError, NotStarted."""
        if job.lease_s is None:
            return self._standby.take(self._parts.fitting(job))
        try:
            elsewhere = Elsewhere(self._parts.paths.lease_line, job.id, job.lease_s)
            return self._standby.place(elsewhere, elsewhere.gid)
        except ClientGone as error:
            raise NotStarted(Reason.CLIENT_GONE, str(error)) from error

    def _prepare(self, job: Job, cancelled: Callable[[], bool]) -> Prepared:
        if job.lease_s is None:
            return self._parts.prepare(job, cancelled)
        return remote_cell.nothing_to_prepare(job, self._parts.paths)

    def _objection(self, job: Job) -> str:
        """Why the robot may not be armed for a job: one of the fleet's needs a lease to the end of its time limit."""
        limits = self._parts.config.job
        if self._has_lease(job, limits.limit_s + limits.grace_s + _COLLECTING_S):
            return ""
        return "The fleet's lease on this job doesn't cover its time limit yet; it starts when it has been renewed."

    def _has_lease(self, job: Job, needed_s: float) -> bool:
        if job.place != GUEST:
            return True
        lease = self._store.lease(job.id)
        return lease is not None and lease.covers(self._boot, fleet_lease.now_s(), needed_s)

    def _watch(self, job: Job) -> Cause | None:
        """Called all the time while a job has the robot: look after the others, and say whether it is to end."""
        self._look_after()
        self._room.tend(robot_is_free=False)
        if self._parts.stopping.is_set():
            return Cause.SHUTDOWN
        if not self._has_lease(job, 0.0):
            return Cause.LEASE
        return Cause.CANCEL if self._store.get(job.id).cancel_requested else None

    def _started(self, job_id: str, at_s: float) -> None:
        self._store.move(job_id, State.RUNNING, at_s, started_at=at_s)
        _log.info("%s running", job_id)

    def _not_started(self, job: Job, cause: NotStarted) -> None:
        now_s = time.time()
        self._standby.wait_until_gone()
        if cause.reason is Reason.BY_USER:
            self._store.move(job.id, State.CANCELLED, now_s, cause.reason, "Cancelled before it ran.", ended_at=now_s)
            recovery.discard_never_run(job, self._parts.paths)
        elif cause.reason is Reason.CLIENT_GONE:
            self._store.move(job.id, State.CANCELLED, now_s, cause.reason, cause.detail, ended_at=now_s)
            recovery.discard_never_run(job, self._parts.paths)
        elif self._is_given_up(job, cause):
            text = f"The cell of this job could not be started {_REFUSALS} times. {cause.detail}"
            self._store.move(job.id, State.FAILED, now_s, Reason.INTERNAL_ERROR, text, ended_at=now_s)
            recovery.discard_never_run(job, self._parts.paths)
        else:
            self._store.put_back(job.id, now_s, cause.reason, cause.detail)
            self._room.pause()
        _log.info("%s %s (%s)", job.id, self._store.get(job.id).state, cause.detail or cause.reason)

    def _is_given_up(self, job: Job, cause: NotStarted) -> bool:
        """Whether its cell fails again and again although others can be made; where none can, all wait for the engine."""
        if cause.reason is not Reason.ENGINE_UNAVAILABLE or self._standby.problem():
            return False
        self._refusals[job.id] += 1
        return self._refusals[job.id] >= _REFUSALS

    def _complete(self, job: Job, record: Record) -> None:
        """Collect, then move the job to where its verdict sends it."""
        if job.state is not State.COLLECTING:
            job = self._store.move(
                job.id, State.COLLECTING, time.time(), ended_at=record.ended_at, exit_code=record.exit_code
            )
        report = self._collect(job, record)
        self._standby.wait_until_gone()
        if report is None:
            return  # stopping, with a full disk: the next runner goes on here
        if record.reason == Reason.INTERRUPTED:
            self._interrupted(job, record, report)
        else:
            self._end(job, State(record.state), Reason(record.reason), record.detail, report)
        collecting.forget_record(job, record, self._parts.paths)

    def _collect(self, job: Job, record: Record) -> Report | None:
        """Write the results; waits for room where the disk is full. None if the runner is stopped meanwhile."""
        while True:
            try:
                return collecting.collect(job, record, self._parts.paths, self._parts.results)
            except OSError as error:
                text = f"The results can't be written ({error.strerror}). Make room on the appliance's disk."
                _log.warning("%s %s", job.id, text)
                self._store.explain(job.id, time.time(), Reason.DISK_FULL, text)
            self._room.tend(robot_is_free=False)
            if self._parts.stopping.wait(_DISK_RETRY_S):
                return None

    def _interrupted(self, job: Job, record: Record, report: Report) -> None:
        # A fleet's job gets another attempt where its log in the bucket says so; whoever drove from elsewhere has heard of
        # the end and asks anew.
        if job.place == GUEST or job.lease_s is not None:
            self._end(job, State.FAILED, Reason.INTERRUPTED, record.detail, report)
            return
        state, reason, number = jobs.after_interruption(State.RUNNING, job.attempt)
        if state is not State.QUEUED:
            self._end(job, state, reason, f"Interrupted again. {record.detail}", report)
            return
        self._room.yield_to_front()
        text = f"Attempt {job.attempt} was interrupted. {record.detail}"
        job = self._store.put_back(job.id, time.time(), reason, text, number)
        _log.info("%s %s (%s)", job.id, job.state, text)
        self._room.pause()

    def _end(self, job: Job, state: State, reason: Reason, detail: str, report: Report) -> None:
        fields = {"exit_code": report.exit_code, "steps": report.steps, "missed_steps": report.missed_steps,
                  "residual": (report.residual or {}).get("window_rmse_rad"), **_standing(report)}  # fmt: skip
        notes = job.notes.splitlines()
        advice = self._parts.advice(job, detail) if state is State.FAILED else ""
        if advice and advice not in notes:  # it stands there before the end does, so whoever sees the end sees it, too
            self._store.annotate(job.id, [*notes, advice], time.time())
        self._store.move(job.id, state, time.time(), reason, detail, ended_at=report.ended_at, **fields)
        self._parts.paths.upload(job.id).unlink(missing_ok=True)
        _log.info("%s %s %s", job.id, state, f"({detail})" if detail else "")
        if reason is Reason.EMERGENCY_STOP:
            self._room.pause()

    def _spec(self, session: str, source: Path, fitting: Fitting) -> Spec:
        return spec_of(self._parts.paths, self._parts.config, session, source, fitting)

    # --- after a crash ------------------------------------------------------------------------------------------

    def _recover(self) -> None:
        """Left-over cells first, then the robot, then the jobs that were caught, then what nobody needs any more."""
        parts = self._parts
        try:
            self._standby.clear()
        except EngineError as error:
            _log.warning("%s Left-over cells are removed before the next job starts.", error)
        lease.disarm_any(parts.paths.control("runner"))
        for job in self._store.active():
            recovery.discard_partial_files(job, parts.paths)
            if job.state in {State.RUNNING, State.COLLECTING}:
                _log.info("%s was caught %s", job.id, job.state)
                self._complete(job, recovery.record_of(job, parts.paths, time.time()))
            else:
                recovery.discard_unstarted(job, parts.paths)
                self._store.put_back(job.id, time.time(), Reason.NONE)
        retention.finish(self._store, parts.paths)
        if not self._store.active():
            recovery.discard_sessions(parts.paths)


def _standing(report: Report) -> dict[str, object]:
    """What the leaderboard needs of a job that did the standard task."""
    done = report.standard_task
    if done is None:
        return {}
    robot = report.robot if report.link == "pigpiod" else f"{report.robot} (twin)"
    return {"standard_return": done.mean_return, "twin_return": done.twin_return, "robot": robot}


def spec_of(paths: Paths, config: Config, session: str, source: Path, fitting: Fitting) -> Spec:
    """The cell for a session (16 hex digits) of this appliance; `source` is the folder that gets the repository."""
    cores = cell.job_cores(range(os.cpu_count() or 1), loop_core(config.realtime.cpu))
    limits = config.job
    return Spec(
        name=f"raas-{paths.tag}-{session}",
        fitting=fitting,
        source=source,
        session=paths.session(int(session, 16)),
        labels={cell.LABEL: paths.tag, cell.LABEL_SESSION: session},
        limits=Limits(config.sandbox.uid, limits.memory_mb, limits.pids, limits.cpus, limits.tmp_mb, cores),
    )
