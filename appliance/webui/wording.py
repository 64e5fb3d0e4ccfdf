"""How are times, durations, states and sources written for people? Used by the templates; scripts say the same."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from appliance.shapes import JobView, RobotView
from gym_raas.kinds.kind import Kind, Scale
from gym_raas.kinds.known import KINDS

STATES: Final = {
    "queued": "Queued",
    "preparing": "Preparing",
    "waiting_for_robot": "Waiting for robot",
    "running": "Running",
    "collecting": "Collecting",
    "succeeded": "Succeeded",
    "failed": "Failed",
    "timed_out": "Timed out",
    "cancelled": "Cancelled",
    "disarmed": "Idle",
    "settling": "Settling",
    "armed": "Ready",
    "fault": "Fault",
    "stopped": "Stopped",
    "offline": "Offline",
}
# Sequences that a terminal would obey: control sequences, operating system commands, and single-character ones.
_ESCAPES: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_]|.)?", re.DOTALL)
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def state(name: str) -> str:
    """A state of a job or the robot."""
    return STATES.get(name, name)


def machine_time(at: float) -> str:
    """For the attribute `datetime`; the viewer's browser turns it into local time."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def time_utc(at: float) -> str:
    """What stands there until then."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def duration(seconds: float) -> str:
    """Such as 45 s or 2 min 5 s."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def source(job: JobView) -> str:
    """Where a job comes from, short: host and path of a repository, or a file's name."""
    if job.source_kind != "git":
        return job.source
    try:
        parts = urlsplit(job.source)
    except ValueError:  # a row that didn't come through the page
        return job.source
    return f"{parts.hostname or ''}{parts.path}".removesuffix(".git") + (f" @ {job.ref}" if job.ref else "")


def title(job: JobView) -> str:
    """What a job is called: its name, or else its source."""
    return job.name or source(job)


def timing(robot: RobotView) -> str:
    """How well the motor loop keeps its time, in one line."""
    if robot.state == "offline":
        return "no motor loop"
    return f"{robot.rate_hz:.1f} of {robot.target_rate_hz} Hz, {robot.missed_ticks} missed, worst tick {robot.worst_tick_us} µs"


def plain_output(content: bytes) -> str:
    """A program's output without anything that a terminal would obey."""
    text = _ESCAPES.sub("", content.decode(errors="replace").replace("\r\n", "\n"))
    return _CONTROLS.sub("", text.replace("\r", "\n"))


def kind(robot: RobotView) -> Kind:
    """What the robot is, and how people read its motion."""
    return KINDS[robot.kind]


def axis(scale: Scale) -> str:
    """A chart's name: what, and in which unit."""
    return f"{scale.label.capitalize()}, {scale.unit}"
