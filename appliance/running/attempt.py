"""How is a prepared job run once? Settle, give the waiting cell its source, arm, start, watch, end, judge.

The order is the safety: nothing is armed before the cell exists, the lease runs from arming on, and whatever ends the
attempt, the motor goes off first. What goes wrong before run.py begins costs the job nothing (`NotStarted`).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from appliance.calibration import in_use
from appliance.config import Config
from appliance.errors import EngineError, RobotError
from appliance.jobs import Reason
from appliance.paths import Paths
from appliance.realtime.control import Arm
from appliance.running import output, record, results, self_test
from appliance.running.berth import Berth
from appliance.running.cell import Cell, Exit
from appliance.running.lease import Session
from appliance.running.output import Capture
from appliance.running.record import Record
from appliance.running.self_test import Testing
from appliance.running.standby import Standby
from appliance.running.verdict import Cause, Evidence, SessionEnd, judge
from appliance.shapes import SelfTest
from appliance.store import Job
from gym_raas.parameters import RobotFileError

#: How often the submitter's wish and the session are looked at; the end of run.py is seen at once.
WATCH_S: Final = 0.02
_SETTLE_WATCH_S: Final = 0.002
#: How long run.py may tidy up when it is cancelled; at the time limit it is `job.grace_s`.
CANCEL_GRACE_S: Final = 1.0


class NotStarted(Exception):
    """run.py has not begun, so the job keeps its attempt; why, for the queue."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(detail)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Tools:
    """What an attempt works with.

    standby: has the cell. take: the job's place in it, or NotStarted.
    objection: why the robot may not be armed for this job now, '' if it may, asked right before it would be.
    watch: called every WATCH_S; a Cause ends the attempt. started: called with the wall-clock time before run.py begins.
    """

    paths: Paths
    config: Config
    robot_file: Path
    standby: Standby
    take: Callable[[Job], Berth]
    objection: Callable[[], str]
    watch: Callable[[], Cause | None]
    started: Callable[[float], None]


def perform(job: Job, tools: Tools) -> Record:
    """Run a job that waits for the robot; returns its record with the verdict, saved. Raises NotStarted.

    The cell is gone and the robot disarmed when this returns or raises.
    """
    attempt = _Attempt(job, tools)
    try:
        attempt.make_ready()
        begun = attempt.begin()
        end = attempt.drive()
        testing = self_test.after(tools.paths.control("runner"), end.session)
        judged = attempt.judged(begun, end)
    except NotStarted:
        attempt.clean_up()
        attempt.forget()
        raise
    except BaseException:
        attempt.clean_up()
        raise
    record.save(tools.paths, job.id, judged, sync=True)
    attempt.clean_up()
    return attempt.tested(judged, testing)


@dataclass(frozen=True)
class _End:
    cause: Cause
    exit: Exit | None
    session: SessionEnd
    at_s: float


class _Attempt:
    """One attempt while it lasts, and everything that must be undone after it."""

    def __init__(self, job: Job, tools: Tools) -> None:
        self.folder = tools.paths.attempt(job.id, job.attempt)
        self._job, self._tools = job, tools
        self._limit_s = tools.config.job.limit_s if job.lease_s is None else job.lease_s
        self._berth: Berth | None = None
        self._armed: Session | None = None
        self._before = SelfTest(passed=True)
        self._make_folders()
        self._capture = Capture(self.folder / results.OUTPUT, tools.config.job.output_kb << 10)

    def _make_folders(self) -> None:
        if self.folder.exists():  # left over from a try that was cut short
            if (self.folder / results.REPORT).exists():
                raise FileExistsError(f"{self.folder} is complete and never changes")
            shutil.rmtree(self.folder)
        self.folder.mkdir(parents=True)
        try:
            robot = in_use.load(self._tools.robot_file, self._tools.paths)
        except RobotFileError as error:
            raise NotStarted(Reason.ROBOT_UNAVAILABLE, str(error)) from error
        (self.folder / results.ROBOT).write_bytes(robot.content)

    def make_ready(self) -> None:
        """The cell gets its source while the pendulum settles; then the robot is armed. Raises NotStarted."""
        control, config = self._tools.paths.control("runner"), self._tools.config
        settling = Testing(control, config.realtime.settle_timeout_s)
        try:
            self._berth = berth = self._tools.take(self._job)
            berth.move_in(self._tools.paths.source(self._job.id))
            self._before = self._settled(settling)
            objection = self._tools.objection()
            if objection:
                raise NotStarted(Reason.NO_LEASE, objection)
            arm = Arm(berth.session, self._job.id, self._limit_s, berth.spec.limits.uid)
            self._armed = Session(control, arm, config.realtime.lease_s)
            berth.check()  # a guard that was restarted meanwhile has made another folder for the job's socket
        except EngineError as error:
            raise NotStarted(Reason.ENGINE_UNAVAILABLE, str(error)) from error
        except RobotError as error:
            raise NotStarted(Reason.ROBOT_UNAVAILABLE, str(error)) from error

    def _settled(self, settling: Testing) -> SelfTest:
        while not settling.done.wait(_SETTLE_WATCH_S):
            wish = self._tools.watch()
            if wish is not None:
                raise NotStarted(Reason.BY_USER if wish is Cause.CANCEL else Reason.NONE)
        return settling.result()

    def begin(self) -> Record:
        """Let run.py begin, and the session's clock with it. Raises NotStarted."""
        assert self._berth is not None
        begun = Record(
            session=self._berth.session, attempt=self._job.attempt, settle_s=self._before.settle_s,
            self_test_before=self._before, started_at=time.time(),
        )  # fmt: skip
        record.save(self._tools.paths, self._job.id, begun, sync=False)
        self._tools.started(begun.started_at or 0.0)
        try:
            self._berth.cell.start(self._capture)
        except EngineError as error:
            raise NotStarted(Reason.ENGINE_UNAVAILABLE, str(error)) from error
        return begun

    def drive(self) -> _End:
        """Watch until something ends the attempt; then motor off first, and the cell after it."""
        assert self._armed is not None
        try:
            self._armed.start()
            cause = self._watch(time.monotonic() + self._limit_s)
        except RobotError:
            cause = Cause.SESSION
        session, self._armed = self._armed.end(), None
        at_s = time.time()
        if session.ending == "deadline" and cause is Cause.SESSION:
            cause = Cause.DEADLINE
        return _End(cause, self._exit(cause), session, at_s)

    def _watch(self, deadline_s: float) -> Cause:
        assert self._berth is not None
        assert self._armed is not None
        try:
            while not self._berth.cell.wait(WATCH_S):
                if self._armed.over.is_set():
                    return Cause.SESSION
                if time.monotonic() >= deadline_s:
                    return Cause.DEADLINE
                wish = self._tools.watch()
                if wish is not None:
                    return wish
        except EngineError:
            return Cause.ENGINE
        return Cause.EXITED

    def _exit(self, cause: Cause) -> Exit | None:
        """End run.py if it hasn't ended, and say how it did; None if the engine doesn't."""
        assert self._berth is not None
        cell, grace_s = self._berth.cell, self._tools.config.job.grace_s
        polite_s = {Cause.DEADLINE: grace_s, Cause.CANCEL: min(grace_s, CANCEL_GRACE_S)}.get(cause, 0.0)
        try:
            if polite_s:
                cell.terminate()
                self._wait_politely(cell, time.monotonic() + polite_s)
            if cause is not Cause.EXITED:
                cell.kill()
            return cell.finish()
        except EngineError:
            return None

    def _wait_politely(self, cell: Cell, until_s: float) -> None:
        """Until it has ended or the time is up; a wish to stop it sooner counts."""
        while not cell.wait(WATCH_S) and time.monotonic() < until_s:
            wish = self._tools.watch()
            if wish is Cause.SHUTDOWN:
                return
            if wish is Cause.CANCEL:
                until_s = min(until_s, time.monotonic() + CANCEL_GRACE_S)

    def judged(self, begun: Record, end: _End) -> Record:
        """The record with everything that is known at the end."""
        printed = self._capture.finish()
        config = self._tools.config.job
        last_line = output.last_line(self.folder / results.OUTPUT)
        verdict = judge(Evidence(end.cause, end.exit, end.session, last_line, self._limit_s, config.memory_mb))
        return Record(
            session=begun.session,
            attempt=begun.attempt,
            settle_s=begun.settle_s,
            self_test_before=begun.self_test_before,
            started_at=begun.started_at,
            ended_at=end.at_s,
            state=verdict.state,
            reason=verdict.reason,
            detail=verdict.detail,
            exit_code=end.exit.code if end.exit else None,
            out_of_memory=end.exit.out_of_memory if end.exit else False,
            output_bytes=printed.total_bytes,
            output_dropped_bytes=printed.dropped_bytes,
            network=end.exit.network if end.exit else None,
        )

    def tested(self, judged: Record, testing: Testing | None) -> Record:
        """The record with how the robot was afterwards, where that can be known; the verdict is safe by now."""
        if testing is None:
            return judged
        while not testing.done.wait(WATCH_S):
            if self._tools.watch() is Cause.SHUTDOWN:
                return judged
        found = msgspec.structs.replace(judged, self_test_after=testing.finding())
        record.save(self._tools.paths, self._job.id, found, sync=False)
        return found

    def forget(self) -> None:
        """Leave nothing of an attempt that never began: no folder, and no memory of a session that was armed already."""
        shutil.rmtree(self.folder)
        if self._berth is not None:
            self._tools.paths.segment(int(self._berth.session, 16)).unlink(missing_ok=True)

    def clean_up(self) -> None:
        """Motor off, cell gone, folder of the session gone. Never raises: what an absent engine keeps is swept later."""
        if self._armed is not None:
            self._armed.end()
        if self._berth is not None:
            self._tools.standby.put_away(self._berth)
        self._capture.close()
