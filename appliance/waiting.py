"""What does a job wait for, and how long yet? A sentence, a place in the queue and an estimate, for people.

Pure: everything is an argument. Estimates are for the worst case: each job ahead takes its whole time limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from appliance.jobs import Reason, State
from appliance.store import AWAY, Job

#: Between two jobs: results are written, the pendulum settles, the cell starts.
TURNAROUND_S: Final = 8.0
#: From waiting_for_robot to the start of run.py, and from the start of preparing to there.
SETTLING_S: Final = 4.0
PREPARING_S: Final = 6.0
COLLECTING_S: Final = 2.0

_WORKING: Final = {
    (State.PREPARING, Reason.FETCHING): "Fetching the repository.",
    (State.PREPARING, Reason.UNPACKING): "Unpacking and checking the archive.",
    (State.PREPARING, Reason.INSTALLING): "Installing what requirements.txt asks for.",
    (State.PREPARING, Reason.TRYING): "Trying it on the simulation first.",
    (State.WAITING_FOR_ROBOT, Reason.SETTLING): "The robot is coming to rest.",
}
_DEFAULT: Final = {
    State.PREPARING: "Getting the program ready.",
    State.WAITING_FOR_ROBOT: "Waiting for the robot.",
    State.RUNNING: "run.py is driving the robot.",
    State.COLLECTING: "Writing the results.",
    State.SUCCEEDED: "Finished.",
    State.FAILED: "Failed.",
    State.TIMED_OUT: "Stopped at the time limit.",
    State.CANCELLED: "Cancelled.",
}


@dataclass(frozen=True)
class Description:
    """What a person wants to know of a job.

    position: 1 is next, None when it doesn't wait. eta_s: until run.py starts (waiting) or ends at the latest
    (running); None when nobody can say.
    """

    sentence: str
    position: int | None
    eta_s: float | None


@dataclass(frozen=True)
class Line:
    """Everything that waits or is worked on: `queue` in running order, `active` as `Store.active()` gives it.

    hold: the fact `facts.QUEUE_HOLD`, a sentence while no job can be started.
    """

    queue: Sequence[Job]
    active: Sequence[Job]
    limit_s: float
    hold: str = ""


def describe(job: Job, line: Line, now_s: float) -> Description:
    """The description of `job` at the wall-clock time `now_s`."""
    if job.place == AWAY and not job.state.is_final:
        return Description(job.detail or "On its way to the fleet.", None, None)
    if job.state is State.QUEUED:
        return _queued(job, line, now_s)
    if job.state is State.PREPARING:
        return _preparing(job, line, now_s)
    sentence = _WORKING.get((job.state, job.reason), _DEFAULT[job.state])
    if job.state is State.RUNNING:
        sentence = sentence if job.lease_s is None else "A program elsewhere is driving the robot over the network."
        return Description(sentence, None, left_s(job, line.limit_s, now_s))
    eta_s = SETTLING_S if job.state is State.WAITING_FOR_ROBOT else None
    return Description(job.detail or sentence, None, eta_s)


def left_s(job: Job, limit_s: float, now_s: float) -> float:
    """How long the robot is busy with an active job yet, at most, s."""
    limit_s = limit_s if job.lease_s is None else job.lease_s
    if job.state is State.RUNNING:
        return max(0.0, (job.started_at or now_s) + limit_s - now_s)
    if job.state is State.COLLECTING:
        return COLLECTING_S
    return limit_s + (SETTLING_S if job.state is State.WAITING_FOR_ROBOT else PREPARING_S)


def about(seconds: float) -> str:
    """A duration as people say it; coarse, so that a sentence doesn't change every second."""
    if seconds < 10.0:
        return "a few seconds"
    if seconds < 90.0:
        return f"{round(seconds / 10.0) * 10} seconds"
    if seconds < 90.0 * 60.0:
        return f"{round(seconds / 60.0)} minutes"
    return f"{round(seconds / 3600.0)} hours"


def _queued(job: Job, line: Line, now_s: float) -> Description:
    ahead = next((index for index, other in enumerate(line.queue) if other.id == job.id), len(line.queue))
    ready = sum(_waits_prepared(other, line.active) for other in line.active)
    position = ahead + ready + 1
    place = "Next in line" if position == 1 else f"Number {position} in line"
    again = f"{job.detail} " if job.reason is Reason.INTERRUPTED and job.detail else ""
    if line.hold:
        return Description(f"{again}{place}. {line.hold}", position, None)
    eta_s = sum(left_s(other, line.limit_s, now_s) + TURNAROUND_S for other in line.active)
    eta_s += sum((other.lease_s or line.limit_s) + TURNAROUND_S for other in line.queue[:ahead])
    return Description(f"{again}{place}; starts in {about(eta_s)} at the latest.", position, eta_s)


def _preparing(job: Job, line: Line, now_s: float) -> Description:
    sentence = _WORKING.get((job.state, job.reason), _DEFAULT[job.state])
    others = [other for other in line.active if other.id != job.id]
    if not others:
        return Description(sentence, None, PREPARING_S)
    eta_s = sum(left_s(other, line.limit_s, now_s) + TURNAROUND_S for other in others)
    if job.reason is Reason.READY:
        sentence = f"Ready and next in line; starts in {about(eta_s)} at the latest."
    return Description(sentence, 1, eta_s)


def _waits_prepared(job: Job, active: Sequence[Job]) -> bool:
    """Whether an active job is being prepared while the robot is busy with another one: it is before all queued ones."""
    return job.state is State.PREPARING and len(active) > 1
