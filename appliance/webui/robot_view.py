"""What is the robot doing, and why, in numbers for programs and a sentence for people? Pure functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from appliance.config import Config
from appliance.realtime.control import Reply
from appliance.realtime.kinds.handling import Handling
from appliance.realtime.telemetry import Fault, LiveRecord, RobotState
from appliance.shapes import JobView, QueueView, RobotView

#: The loop publishes 100 times a second; a sample this old means that it doesn't run.
OFFLINE_AFTER_S: Final = 1.0
OFFLINE: Final = "offline"


@dataclass(frozen=True)
class Sight:
    """Everything that is known about the robot at one moment; `record` is None where no loop has ever published."""

    record: LiveRecord | None
    age_s: float
    guard: Reply | None
    guard_problem: str
    queue: QueueView


def state_name(sight: Sight) -> str:
    """RobotState's name in lower case, or `offline`. The guard's latch wins: it holds without a loop, too."""
    if sight.guard is not None and sight.guard.stopped:
        return RobotState.STOPPED.name.lower()
    if sight.record is None or sight.age_s > OFFLINE_AFTER_S:
        return OFFLINE
    return RobotState(sight.record.state).name.lower()


def view(sight: Sight, config: Config, handling: Handling) -> RobotView:
    """The robot as the API tells it; numbers are rounded to what anybody can see."""
    record, guard = sight.record or _nothing(handling.kind.home_rad), sight.guard or Reply()
    state = state_name(sight)
    driving = next((job for job in sight.queue.active if job.state == "running"), None)
    return RobotView(
        name=config.name,
        link=config.robot.link,
        state=state,
        fault=Fault(record.fault).name.lower(),
        stopped=state == "stopped",
        stop_who=guard.stop_who,
        stop_why=guard.stop_why,
        sentence=sentence(sight, handling),
        job_id=driving.id if driving is not None else "",
        angle_rad=round(record.angle_rad, 4),
        velocity_rad_s=round(record.velocity_rad_s, 3),
        action=round(record.action, 3),
        command=round(record.command, 1),
        session_s=round(record.session_t_us / 1e6, 2),
        time_left_s=round(record.time_left_us / 1e6, 2),
        limit_s=config.job.limit_s if driving is None else driving.limit_s,
        steps=record.steps,
        missed=record.missed,
        rate_hz=round(record.rate_hz, 1),
        target_rate_hz=config.realtime.rate_hz,
        missed_ticks=record.missed_ticks,
        worst_tick_us=record.worst_tick_us,
        queue_length=sight.queue.length,
        queue_paused=sight.queue.paused,
        age_s=round(sight.age_s, 3),
        t_s=round(record.t_ns / 1e9, 4),
        kind=handling.kind.name,
    )


def sentence(sight: Sight, handling: Handling) -> str:
    """What the robot is doing and why."""
    state, queue = state_name(sight), sight.queue
    if state == "stopped":
        return _stopped(sight.guard or Reply())
    if state == OFFLINE:
        return "The motor loop isn't running, so the motor is off. " + (
            sight.guard_problem or "It should be back in a moment."
        )
    if state == "fault":
        assert sight.record is not None
        detail = sight.guard.fault_detail if sight.guard is not None else ""
        return f"{detail or handling.fault_sentences[Fault(sight.record.fault)]} Put it right, then resume."
    if state == "settling":
        return handling.settling.format(job=_title(queue.active))
    if state in _BY_STATE:
        return _BY_STATE[state].format(job=_title(queue.active))
    if queue.active:
        return queue.active[0].sentence
    if queue.paused:
        return "The queue is paused; the motor is off."
    return "Idle: the motor is off and no job waits."


_BY_STATE: Final = {
    "armed": "Everything is ready; {job} starts in a moment.",
    "running": "{job} is driving.",
}


def _stopped(guard: Reply) -> str:
    who = f" by {guard.stop_who}" if guard.stop_who else ""
    why = f": {guard.stop_why.rstrip('.')}" if guard.stop_why else ""
    return f"Emergency stop{who}{why}. The motor stays off until somebody resumes it."


def _title(active: list[JobView]) -> str:
    if not active:
        return "the next job"
    return f"“{active[0].name}”" if active[0].name else active[0].source


def _nothing(home_rad: float) -> LiveRecord:
    """What is shown where no loop has ever published: at rest."""
    return LiveRecord(0, 0, 0, 0, 0, 0, 0, home_rad, 0.0, 0.0, 0.0, 0, 0, 0, 0, 0.0, 0, 0, 0, 0)
