"""Who answers what is asked of the robot? One reply for every control request, with the robot's state after it."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping

from appliance.errors import RobotError
from appliance.realtime.channels import Unanswered
from appliance.realtime.control import Arm, Disarm, Lease, Reply, Request, Resume, Settle, Start, Stop
from appliance.realtime.emergency_stop import EmergencyStop
from appliance.realtime.fault_sentences import name as fault_name
from appliance.realtime.guarded_session import GuardedSession
from appliance.realtime.latch import Latch, LatchedStop, Retirement
from appliance.realtime.messages import CommandKind, Ending, Notice, NoticeKind
from appliance.realtime.service import Service
from appliance.realtime.session_desk import SessionDesk
from appliance.realtime.session_files import SessionFiles
from appliance.realtime.supervision import Supervision
from appliance.realtime.telemetry import Fault, LiveRecord, RobotState

_log = logging.getLogger(__name__)


class Desk:
    """Answers requests, and hears what happens to loop and gateway (a `supervision.Listener`)."""

    def __init__(
        self, supervision: Supervision, stop: Latch[LatchedStop], retirement: Latch[Retirement],
        files: SessionFiles, lease_s: float, sentences: Mapping[Fault, str],
    ) -> None:  # fmt: skip
        self._supervision = supervision
        self._sentences = sentences
        self._service = Service(retirement, self._retire, sentences)
        self._sessions = SessionDesk(supervision, files, lease_s, self._service)
        self._stop = EmergencyStop(stop, supervision, lambda: self._sessions.end_present(Ending.STOPPED))
        self._resumed_ns = 0

    def close(self) -> None:
        """Wait for what is being written."""
        self._stop.close()

    @property
    def is_stopped(self) -> bool:
        """Whether an emergency stop is latched."""
        return self._stop.latched is not None

    async def handle(self, request: Request) -> Reply:
        """Carry a request out and say how the robot is then."""
        try:
            notice = await self._carry_out(request)
        except RobotError as error:
            return self.reply(str(error))
        return self.reply("", notice)

    def look(self) -> None:
        """Look after the present session and the robot's faults; called every few ms."""
        newest = self._newest()
        self._sessions.look(newest)
        if newest is not None and self._supervision.is_loop_alive:
            self._service.see(Fault(newest.fault))

    def heard(self, notice: Notice) -> None:
        """The loop ended a session by itself, or found the robot faulty."""
        session = self._sessions.session
        if notice.kind == NoticeKind.FAULT:
            _log.error("the loop reports a fault: %s", Fault(notice.code).name)
            self._sessions.end_present(Ending.FAULT)
        elif notice.kind == NoticeKind.ENDED and session is not None and session.number == notice.session:
            self._sessions.end(session, Ending(notice.code))

    def loop_ready(self) -> None:
        """A new loop must know what is latched."""
        self._service.loop_starts()
        try:
            self._stop.repeat()
            if self._service.retirement is not None:
                self._retire()
        except Unanswered:
            self._supervision.lose_loop("it doesn't listen")

    def loop_lost(self) -> None:
        """Whatever the session was, it is over; its steps are safe in shared memory."""
        self._sessions.end_present(Ending.FAULT)

    def gateway_starts(self) -> None:
        """A new gateway takes up the present session."""
        self._sessions.reopen()

    def reply(self, error: str, notice: Notice | None = None) -> Reply:
        """The robot's state, with an error if there is one."""
        latched = self._stop.latched
        session = self._sessions.present
        state, fault = self._state(session)
        return Reply(
            ok=not error,
            error=error,
            state=state.name.lower(),
            fault=fault.name.lower(),
            stopped=latched is not None,
            stop_who=latched.who if latched else "",
            stop_why=latched.why if latched else "",
            session=session.name if session is not None else "",
            ending=self._sessions.last_ending,
            settle_s=notice.value if notice is not None else 0.0,
            zero_correction_counts=notice.counts if notice is not None else 0,
            self_test_s=notice.test_s if notice is not None else 0.0,
            friction_rad_s2=notice.friction_rad_s2 if notice is not None else 0.0,
            fault_detail=self._service.retirement.why if self._service.retirement is not None else "",
            faults=dict(self._service.faults),
            self_tests_passed=self._service.passed,
            self_tests_failed=self._service.failed,
            loop_alive=self._supervision.is_loop_seen,
            gateway_alive=self._supervision.is_gateway_alive,
        )

    async def _carry_out(self, request: Request) -> Notice | None:
        sessions = self._sessions
        if isinstance(request, Stop):
            await self._stop.pull(request.who, request.why)
        elif isinstance(request, Resume):
            await self._resume()
        elif isinstance(request, Settle):
            self._demand_healthy()
            return await sessions.settle(request.timeout_s)
        elif isinstance(request, Arm):
            self._demand_healthy()
            await sessions.arm(request.session, request.limit_s, request.job_gid)
        elif isinstance(request, Start):
            await sessions.start(request.session)
        elif isinstance(request, Lease):
            sessions.lease(request.session)
        elif isinstance(request, Disarm):
            await sessions.disarm(request.session)
        return None

    async def _resume(self) -> None:
        was_latched = self._state(self._sessions.present)[0] in (RobotState.STOPPED, RobotState.FAULT)
        try:
            await self._service.restore()
        except OSError as error:
            raise RobotError(f"The robot can't be put back into service on disk: {error}.") from error
        await self._stop.release()
        if was_latched:  # the live ring shows the old state a little longer
            self._resumed_ns = time.monotonic_ns()

    def _retire(self) -> None:
        """The loop shows that the robot is out of service, and refuses to move it; so does the guard without a loop."""
        try:
            self._supervision.loop.tell(CommandKind.RETIRE)
        except Unanswered:
            self._supervision.lose_loop("it doesn't listen")

    def _demand_healthy(self) -> None:
        state, fault = self._state(self._sessions.present)
        if state is RobotState.STOPPED:
            raise RobotError("The robot is stopped. Resume it first (raas resume, or the button on the page).")
        if state is RobotState.FAULT:
            why = self._service.retirement.why if self._service.retirement else self._sentences[fault]
            raise RobotError(f"The robot has a fault ({fault_name(fault)}). {why} Then resume it (raas resume).")

    def _newest(self) -> LiveRecord | None:
        found = self._supervision.newest()
        return None if found is None else found[1]

    def _state(self, session: GuardedSession | None) -> tuple[RobotState, Fault]:
        """The loop's state; where the guard knows of a change that the live ring doesn't show yet, the changed one."""
        newest = self._newest()
        if self._stop.latched is not None:
            return RobotState.STOPPED, Fault.NONE
        if self._service.retirement is not None:
            return RobotState.FAULT, Fault.OUT_OF_SERVICE
        if newest is None or not self._supervision.is_loop_alive or newest.t_ns < self._resumed_ns:
            return RobotState.DISARMED, Fault.NONE
        state = RobotState(newest.state)
        if session is not None and (newest.session != session.number or state == RobotState.ARMED):
            state = RobotState.ARMED if session.started_s is None else RobotState.RUNNING
        elif (session is None and state not in (RobotState.SETTLING, RobotState.FAULT)) or (
            session is None and state is RobotState.SETTLING and not self._sessions.is_settling
        ):
            state = RobotState.DISARMED
        return state, Fault(newest.fault)
