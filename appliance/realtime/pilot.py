"""Who may move the motor now? The states of the robot, and what leads from one to the other.

    DISARMED -> SETTLING -> DISARMED        the guard's SETTLE, which tests the robot, too; what fails there, the guard judges
    DISARMED -> ARMED -> RUNNING -> DISARMED   a session: ARM; START or the first message; DISARM, deadline or lease
    RUNNING -> SETTLING -> RUNNING          a reset of the job's that waits for rest
    any -> STOPPED, any -> FAULT            latched until RESUME; RETIRE is a fault that the guard has found

One exception to the latch: a link that failed while nothing could move (DISARMED) is mended by coming back, because nobody
was there to see it fail and no job was harmed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from appliance.config import RealtimeSection
from appliance.realtime import messages
from appliance.realtime.estimator import Estimator, Motion
from appliance.realtime.kinds.handling import Handling, Settled, Settling
from appliance.realtime.messages import Command, CommandKind, DriverReply, DriverRequest, Ending, Notice, NoticeKind
from appliance.realtime.safety import Drive
from appliance.realtime.session import Session
from appliance.realtime.steering import Moment, Steering
from appliance.realtime.telemetry import Fault, RobotState, StepRecord, TickRecord
from gym_raas import wire
from gym_raas.parameters import Robot

_MOST_NOTICES: Final = 64
#: No session and no settling is meant to last longer; infinity and NaN are no times.
_LONGEST_S: Final = 86_400.0
_REFUSED: Final = {
    RobotState.STOPPED: (wire.Refusal.STOPPED, "Emergency stop: the motor stays off until a person resumes it."),
    RobotState.FAULT: (wire.Refusal.FAULT, "The robot has a fault and the motor is off. Its page says which."),
}
_OVER: Final = (wire.Refusal.OVER, "The session is over: this job's time with the robot has ended.")


class Seen(NamedTuple):
    """One tick's view of the world; `counts` are the encoder's own, `motion` is relative to the zero."""

    due_us: int
    now_us: int
    counts: int
    motion: Motion


class Records(Protocol):
    """Where a session's steps and ticks go: `telemetry.Segment`."""

    def append_step(self, record: StepRecord) -> None:
        """Record a step."""

    def append_tick(self, record: TickRecord) -> None:
        """Record a tick."""

    def close(self) -> None:
        """Let go of it."""


class Pilot:
    """The states of one robot. Pure but for `open_records`, which is called at ARM only, when the motor is off.

    Every tick: `watch()` with faults, then `hear_guard()` and `hear_job()` with what arrived, then `action()`, at last `acted()`.
    Settling moves the estimator's zero.
    """

    def __init__(
        self, robot: Robot, handling: Handling, timing: RealtimeSection, estimator: Estimator,
        open_records: Callable[[int], Records],
    ) -> None:  # fmt: skip
        self._robot = robot
        self._handling = handling
        self._timing = timing
        self._open_records = open_records
        self._estimator = estimator
        self.state = RobotState.DISARMED
        self.fault = Fault.NONE
        self.session: Session | None = None
        self.steering: Steering | None = None
        self.records: Records | None = None
        self.notices: deque[Notice] = deque(maxlen=_MOST_NOTICES)
        self.refusals: deque[DriverReply] = deque(maxlen=1)
        self._settling: Settling | None = None
        self._settle_number = 0
        self._mends_itself = False
        self._counts = 0
        self._still_since_us: int | None = None

    @property
    def may_move(self) -> bool:
        """Whether anybody could make the motor move."""
        return self.state in (RobotState.SETTLING, RobotState.ARMED, RobotState.RUNNING)

    # -- the world ----------------------------------------------------------------------------------------------

    def watch(self, seen: Seen, fault: Fault) -> None:
        """Faults, deadline, lease, the boundary of a step: what happens without anybody asking."""
        if self._still_since_us is None or seen.counts != self._counts:
            self._counts, self._still_since_us = seen.counts, seen.now_us
        if fault is Fault.LINK_SLOW and not self.may_move:
            fault = Fault.NONE  # nobody waits for it; a link that stays silent is soon LINK_LOST
        if fault is not Fault.NONE:
            self._break(fault)
        elif self._mends_itself:
            self._mends_itself, self.fault, self.state = False, Fault.NONE, RobotState.DISARMED
        session = self.session
        if session is None or self.steering is None:
            return
        record = self.steering.meet_boundary(self._moment(seen))
        if record is not None and self.records is not None:
            self.records.append_step(record)
        over = session.over(seen.now_us)
        if over is not None:
            self._end(over, RobotState.DISARMED)

    def _break(self, fault: Fault) -> None:
        if self.state in (RobotState.FAULT, RobotState.STOPPED):
            return
        self._mends_itself = fault is Fault.LINK_LOST and not self.may_move
        self.fault = fault
        self._end(Ending.FAULT, RobotState.FAULT)
        if not self._mends_itself:
            self._tell(NoticeKind.FAULT, code=fault)

    def _end(self, ending: Ending, state: RobotState) -> None:
        """Leave whatever is going on for `state`; whoever waits is told."""
        self._settling = None
        self.state = state
        if self._settle_number:
            self._refuse(self._settle_number, messages.Refusal.INTERRUPTED)
            self._settle_number = 0
        if self.session is None:
            return
        if self.steering is not None:
            self.steering.end(*_REFUSED.get(state, _OVER))
        self._tell(NoticeKind.ENDED, session=self.session.number, code=ending)
        if self.records is not None:
            self.records.close()
        self.session = self.records = None

    # -- the guard ----------------------------------------------------------------------------------------------

    def hear_guard(self, command: Command, seen: Seen) -> None:
        """Carry out a command and answer it."""
        kind, session = command.kind, self.session
        if kind == CommandKind.STOP:
            self._stop(command)
        elif kind == CommandKind.RESUME:
            self._resume(command)
        elif kind == CommandKind.SETTLE:
            self._settle(command, seen)
        elif kind == CommandKind.ARM:
            self._arm(command, seen)
        elif kind == CommandKind.DISARM:
            self._disarm(command)
        elif kind == CommandKind.RETIRE:
            self._retire(command)
        elif session is None or session.number != command.session:
            if kind != CommandKind.LEASE:
                self._refuse(command.number, messages.Refusal.WRONG_SESSION, command.session)
        elif kind == CommandKind.LEASE:
            session.renew(seen.now_us)
        elif kind == CommandKind.START:
            session.renew(seen.now_us)
            self._start(session, seen.now_us)
            self._done(command)

    def _stop(self, command: Command) -> None:
        self._mends_itself = False
        self._end(Ending.STOPPED, RobotState.STOPPED)
        self._done(command)

    def _retire(self, command: Command) -> None:
        if self.state is not RobotState.STOPPED:
            self._mends_itself, self.fault = False, Fault.OUT_OF_SERVICE
            self._end(Ending.FAULT, RobotState.FAULT)
        self._done(command)

    def _resume(self, command: Command) -> None:
        if self.state in (RobotState.STOPPED, RobotState.FAULT):
            self.state, self.fault, self._mends_itself = RobotState.DISARMED, Fault.NONE, False
        self._done(command)

    def _settle(self, command: Command, seen: Seen) -> None:
        if self.state is not RobotState.DISARMED or not 0.0 < command.value <= _LONGEST_S:
            self._refuse(command.number, messages.Refusal.WRONG_STATE)
            return
        self._settle_number = command.number
        self._begin_settling(seen.now_us, command.value, test=True)

    def _begin_settling(self, now_us: int, timeout_s: float, *, test: bool) -> None:
        """A job's reset trusts the robot and its zero, where it is known: that takes half the time.

        A test measures the zero anew, and until it has, nobody trusts it.
        """
        self.state = RobotState.SETTLING
        zero_counts = self._estimator.zero_counts if self._estimator.is_zero_known else None
        self._estimator.is_zero_known = self._estimator.is_zero_known and not test
        self._settling = self._handling.settle(
            self._robot, now_us, timeout_s, zero_counts, test=test, still_since_us=self._still_since_us
        )

    def _arm(self, command: Command, seen: Seen) -> None:
        if self.state is not RobotState.DISARMED or not 0.0 < command.value <= _LONGEST_S:
            self._refuse(command.number, messages.Refusal.WRONG_STATE, command.session)
            return
        try:
            self.records = self._open_records(command.session)
        except (OSError, ValueError):
            self._refuse(command.number, messages.Refusal.NO_SEGMENT, command.session)
            return
        timing = self._timing
        self.session = Session.armed(command.session, command.value, timing.lease_s, seen.now_us)
        self.steering = Steering(command.session, self._handling.kind.task, timing.min_hold_s, timing.job_silence_s)
        self.state = RobotState.ARMED
        self._done(command)

    def _disarm(self, command: Command) -> None:
        """End this session; one that is over already is as good as disarmed."""
        if self.session is not None and command.session != self.session.number:
            self._refuse(command.number, messages.Refusal.WRONG_SESSION, command.session)
            return
        if self.session is not None or (self.state is RobotState.SETTLING and not command.session):
            self._end(Ending.DISARMED, RobotState.DISARMED)
        self._done(command)

    def _start(self, session: Session, now_us: int) -> None:
        session.start(now_us)
        if self.state is RobotState.ARMED:
            self.state = RobotState.RUNNING

    # -- the job ------------------------------------------------------------------------------------------------

    def hear_job(self, request: DriverRequest, seen: Seen) -> None:
        """Take a job's request, or say why not. The first one of a session starts its clock."""
        session, steering = self.session, self.steering
        if session is None or steering is None or request.session != session.number:
            refused = wire.Refused(request.seq, *_REFUSED.get(self.state, _OVER))
            self.refusals.append(DriverReply(request.session, request.driver, refused.pack()))
            return
        self._start(session, seen.now_us)
        steering.hear(request, self._moment(seen))
        if steering.resetting and self._settling is None:
            self._begin_settling(seen.now_us, self._timing.settle_timeout_s, test=False)
        elif self._settling is not None and not steering.resetting:  # another driver took over in the middle of it
            self._settling, self.state = None, RobotState.RUNNING

    # -- the motor ----------------------------------------------------------------------------------------------

    def action(self, seen: Seen) -> float | None:
        """The action that is wished for now, before any limit; None is off."""
        if self._settling is not None:
            action = self._settling.action(seen.now_us, seen.counts, seen.motion.velocity_rad_s)
            if self._settling.done is not None:
                self._finish_settling(self._settling.done, seen)
            return action
        if self.state is RobotState.RUNNING and self.steering is not None:
            return self.steering.action(seen.now_us)
        return None

    def _finish_settling(self, settled: Settled, seen: Seen) -> None:
        if settled.fault is not Fault.NONE:
            self._fail_settling(settled)
            return
        self._settling = None
        correction = settled.zero_counts - self._estimator.zero_counts
        if self._handling.turns:
            turn = self._robot.encoder.counts_per_turn
            correction = (correction + turn / 2.0) % turn - turn / 2.0
        self._estimator.zero_counts, self._estimator.is_zero_known = settled.zero_counts, True
        if self._settle_number:
            number, self._settle_number = self._settle_number, 0
            self.state = RobotState.DISARMED
            self._tell(
                NoticeKind.DONE, number=number, counts=round(correction), value=settled.duration_s,
                test_s=settled.test_s, friction_rad_s2=settled.friction_rad_s2 or 0.0,
            )  # fmt: skip
        elif self.steering is not None:
            self.state = RobotState.RUNNING
            still = seen._replace(motion=self._estimator.motion(seen.counts, seen.motion.velocity_rad_s))
            self.steering.settled(self._moment(still), settled.duration_s)

    def _fail_settling(self, settled: Settled) -> None:
        """For a job's reset that is a fault. For the guard it is a failed self-test, which may be tried again."""
        if not self._settle_number:
            self._break(settled.fault)
            return
        number, self._settle_number = self._settle_number, 0
        self._settling, self.state = None, RobotState.DISARMED
        self._tell(
            NoticeKind.REFUSED, number=number, code=messages.Refusal.SELF_TEST, counts=settled.fault,
            value=settled.duration_s, test_s=settled.test_s, friction_rad_s2=settled.friction_rad_s2 or 0.0,
        )  # fmt: skip

    def acted(self, drive: Drive, now_us: int) -> None:
        """What the motor really got in this tick, once it has been sent."""
        if self.session is not None and self.steering is not None:
            self.steering.acted(drive, self.session.elapsed_us(now_us))

    def _moment(self, seen: Seen) -> Moment:
        elapsed_us = 0 if self.session is None else self.session.elapsed_us(seen.now_us)
        return Moment(seen.due_us, seen.now_us, elapsed_us, seen.motion)

    def replies(self) -> deque[DriverReply]:
        """What waits to be sent to jobs, oldest first: the driver's answers, then refusals of old sessions."""
        if self.steering is not None and self.steering.replies:
            return self.steering.replies
        return self.refusals

    # -- notices ------------------------------------------------------------------------------------------------

    def _done(self, command: Command) -> None:
        self._tell(NoticeKind.DONE, number=command.number, session=command.session)

    def _refuse(self, number: int, why: messages.Refusal, session: int = 0) -> None:
        self._tell(NoticeKind.REFUSED, number=number, session=session, code=why)

    def _tell(
        self, kind: NoticeKind, *, number: int = 0, session: int = 0, code: int = 0, counts: int = 0,
        value: float = 0.0, test_s: float = 0.0, friction_rad_s2: float = 0.0,
    ) -> None:  # fmt: skip
        self.notices.append(Notice(number, kind, session, code, counts, value, test_s, friction_rad_s2))
