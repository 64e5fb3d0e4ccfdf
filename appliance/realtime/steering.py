"""What does the job do with the robot? Its actions, its place on the grid, and the answers it gets.

An action acts from the tick that reads it until the next one, at most for `job_silence_s`; its answer comes at its boundary. A
reset pauses both. Whoever drives is known by a number: a new number means a new environment, and a new grid.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple

from appliance.realtime.estimator import Motion
from appliance.realtime.messages import DriverReply, DriverRequest
from appliance.realtime.safety import Drive
from appliance.realtime.stepclock import Boundary, StepClock
from appliance.realtime.telemetry import StepRecord
from gym_raas.kinds.kind import Task
from gym_raas.wire import Flag, Kind, Refusal, Refused, ResetMode, Sample

#: Answers that wait for their tick; a driver has one request open, so more means that nobody reads them.
_MOST_REPLIES: Final = 8


class Moment(NamedTuple):
    """One tick as the job's side sees it: when it was due and when it ran (monotonic), the session's clock, the arm."""

    due_us: int
    now_us: int
    session_us: int
    motion: Motion


@dataclass(slots=True)
class _Step:
    """The action that waits for its boundary; times on the session's clock."""

    seq: int
    action: float
    received_us: int
    before: Motion
    flags: int
    acted_us: int | None = None
    clipped: float = 0.0
    command: float = 0.0


class Steering:
    """The job's side of one session.

    steps, missed, silences: counted over the session, whoever drove. replies: to be sent, oldest first.
    """

    def __init__(self, session: int, task: Task, min_hold_s: float, silence_s: float) -> None:
        self._session = session
        self._cost = task.cost
        self._clock = StepClock(round(task.dt_s * 1e6), round(min_hold_s * 1e6))
        self._silence_us = round(silence_s * 1e6)
        self.replies: deque[DriverReply] = deque(maxlen=_MOST_REPLIES)
        self.steps = self.missed = self.silences = 0
        self._driver = 0
        self._step: _Step | None = None
        self._reset_seq: int | None = None
        self._action: float | None = None
        self._silent = False
        self._silent_at_us = 0
        self._seen: Motion | None = None
        self._drive_command = 0.0

    @property
    def k(self) -> int:
        """Index of the newest boundary that ended a step."""
        return self._clock.k

    @property
    def resetting(self) -> bool:
        """Whether a reset waits until the robot rests."""
        return self._reset_seq is not None

    def hear(self, request: DriverRequest, moment: Moment) -> None:
        """Take a request: ACTION waits for its boundary, READ and a mere motor-off are answered at once."""
        if request.driver != self._driver:
            self._begin(request.driver)
        if request.kind == Kind.READ:
            self._answer(request.seq, moment, 0)
        elif self._step is not None or self._reset_seq is not None:
            self._refuse(
                request.seq, Refusal.PENDING, "The request before this one hasn't been answered yet: wait for it."
            )
        elif request.kind == Kind.ACTION:
            self._act(request, moment)
        elif request.kind == Kind.RESET:
            self._reset(request, moment)

    def _begin(self, driver: int) -> None:
        """Another environment drives: nothing of the last one's is left but the counters."""
        self._driver = driver
        self._pause()
        self._seen = None

    def _pause(self) -> None:
        self._clock.reset()
        self._step = self._reset_seq = self._action = None
        self._silent = False

    def _act(self, request: DriverRequest, moment: Moment) -> None:
        self._clock.act(moment.due_us)
        flags = Flag.SILENCE if self._silent else Flag.NONE
        before = moment.motion if self._seen is None else self._seen
        self._step = _Step(request.seq, request.action, moment.session_us, before, int(flags))
        self._action, self._silent = request.action, False
        self._silent_at_us = moment.now_us + self._silence_us

    def _reset(self, request: DriverRequest, moment: Moment) -> None:
        self._pause()
        if request.mode == ResetMode.SETTLE:
            self._reset_seq = request.seq
        else:
            self._answer(request.seq, moment, 0)

    def settled(self, moment: Moment, duration_s: float) -> None:
        """The reset that waited is done: the robot rests."""
        if self._reset_seq is not None:
            seq, self._reset_seq = self._reset_seq, None
            self._answer(seq, moment, Flag.SETTLED, duration_s=duration_s)

    def meet_boundary(self, moment: Moment) -> StepRecord | None:
        """At a step's boundary: answer it and return its record."""
        step = self._step
        boundary = self._clock.due(moment.due_us) if step is not None else None
        if step is None or boundary is None:
            return None
        self._step = None
        self.steps += 1
        self.missed += boundary.missed
        step.flags |= Flag.LATE if boundary.missed else 0
        acted_us = step.received_us if step.acted_us is None else step.acted_us
        self._drive_command = step.command
        self._answer(
            step.seq, moment, step.flags,
            action_delay_s=(acted_us - step.received_us) * 1e-6, held_s=(moment.session_us - acted_us) * 1e-6,
        )  # fmt: skip
        cost = self._cost(step.before.angle_rad, step.before.velocity_rad_s, step.clipped)
        return _record(step, boundary, moment, acted_us, cost)

    def action(self, now_us: int) -> float | None:
        """The action that acts now; None (off) before the first, after a reset and in silence."""
        if self._action is not None and now_us >= self._silent_at_us and self._step is None:
            self._action, self._silent = None, True
            self.silences += 1
        return self._action

    def acted(self, drive: Drive, session_us: int) -> None:
        """What the motor really did in this tick, and when that went out."""
        step = self._step
        if step is None:
            return
        step.flags |= drive.flags
        if step.acted_us is None:
            step.acted_us, step.clipped, step.command = session_us, drive.action, drive.command or 0.0

    def end(self, code: Refusal, text: str) -> None:
        """The session is over: whoever waits gets an answer."""
        if self._step is not None:
            self._refuse(self._step.seq, code, text)
        if self._reset_seq is not None:
            self._refuse(self._reset_seq, code, text)
        self._pause()

    def _answer(
        self, seq: int, moment: Moment, flags: int, *,
        duration_s: float = 0.0, action_delay_s: float = 0.0, held_s: float = 0.0,
    ) -> None:  # fmt: skip
        motion = self._seen = moment.motion
        sample = Sample(
            seq=seq, k=self._clock.k, missed=self.missed, t_us=moment.session_us, counts=motion.counts,
            angle_rad=motion.angle_rad, velocity_rad_s=motion.velocity_rad_s, action_delay_s=action_delay_s,
            held_s=held_s, duration_s=duration_s, command=self._drive_command, flags=int(flags),
        )  # fmt: skip
        self.replies.append(DriverReply(self._session, self._driver, sample.pack()))

    def _refuse(self, seq: int, code: Refusal, text: str) -> None:
        self.replies.append(DriverReply(self._session, self._driver, Refused(seq, code, text).pack()))


def _record(step: _Step, boundary: Boundary, moment: Moment, acted_us: int, cost: float) -> StepRecord:
    motion = moment.motion
    return StepRecord(
        k=boundary.k, received_us=step.received_us, acted_us=acted_us, sample_us=moment.session_us,
        counts=motion.counts, angle_rad=motion.angle_rad, velocity_rad_s=motion.velocity_rad_s,
        action=step.action, command=step.command, cost=cost,
        missed=boundary.missed, flags=int(step.flags),
    )  # fmt: skip
