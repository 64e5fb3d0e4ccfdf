"""Why can no job start now? One judgement over pause, disk, engine and robot; pure."""

from __future__ import annotations

from dataclasses import dataclass

from appliance import facts
from appliance.jobs import Reason
from appliance.realtime.control import Reply


@dataclass(frozen=True)
class Hold:
    """A reason, and a sentence that says what to do."""

    reason: Reason
    sentence: str


@dataclass(frozen=True)
class Circumstances:
    """What a start depends on. engine: '' or what is wrong. robot: the guard's word, None if it doesn't answer.

    paused: the fact `facts.QUEUE_PAUSED`.
    """

    paused: str
    free_mb: int
    min_free_mb: int
    engine: str
    robot: Reply | None


def judge(now: Circumstances) -> Hold | None:
    """What holds the queue, the most important first; None if nothing does."""
    robot = now.robot
    if robot is not None and robot.stopped:
        return Hold(Reason.QUEUE_PAUSED, _stopped(robot))
    if now.paused and now.paused != facts.PAUSED_BY_STOP:
        return Hold(Reason.QUEUE_PAUSED, "The queue is paused; the owner can let it go on.")
    if robot is None or not robot.loop_alive:
        return Hold(Reason.ROBOT_UNAVAILABLE, "The robot's control isn't running; it should be back in a moment.")
    if robot.state == "fault":
        fault = robot.fault_detail or f"The robot has a fault ({robot.fault.replace('_', ' ')})."
        return Hold(Reason.ROBOT_UNAVAILABLE, f"{fault} Put it right, then resume the robot.")
    if now.engine:
        return Hold(Reason.ENGINE_UNAVAILABLE, now.engine)
    if now.free_mb < now.min_free_mb:
        what = f"Only {now.free_mb} MiB are free for results, {now.min_free_mb} are needed."
        return Hold(Reason.DISK_FULL, f"{what} Make room on the appliance's disk.")
    return None


def pause_after(paused: str, robot: Reply | None) -> str:
    """The fact `facts.QUEUE_PAUSED` as it should be: an emergency stop sets it, a resumed robot clears only that."""
    if robot is not None and robot.stopped and not paused:
        return facts.PAUSED_BY_STOP
    if robot is not None and not robot.stopped and paused == facts.PAUSED_BY_STOP:
        return ""
    return paused


def _stopped(robot: Reply) -> str:
    who = f" by {robot.stop_who}" if robot.stop_who else ""
    why = f" ({robot.stop_why.rstrip('.')})" if robot.stop_why else ""
    return f"Emergency stop{who}{why}. The queue goes on when somebody resumes the robot."
