"""How did an attempt end? Judged from what was seen: the cell's exit, the robot session's end, who ended it. Pure."""

from __future__ import annotations

import enum
import signal
from dataclasses import dataclass

from appliance.jobs import Reason, State
from appliance.running.cell import Exit


class Cause(enum.StrEnum):
    """What made the runner end the attempt."""

    EXITED = "exited"  # run.py ended by itself
    DEADLINE = "deadline"
    SESSION = "session"  # the robot's side ended first: stop, fault, lost lease, dead guard
    CANCEL = "cancel"
    LEASE = "lease"  # a fleet's job that this appliance no longer holds
    SHUTDOWN = "shutdown"  # the appliance is being stopped
    ENGINE = "engine"  # Docker Engine has gone
    CRASH = "crash"  # found by a restarted runner


@dataclass(frozen=True)
class SessionEnd:
    """What the guard said at the end: `ending` is messages.Ending's name in lower case, or 'lost' if it didn't answer."""

    ending: str
    fault: str = "none"
    stop_who: str = ""
    stop_why: str = ""


@dataclass(frozen=True)
class Evidence:
    """Everything that the verdict rests on. last_line: of the job's output."""

    cause: Cause
    exit: Exit | None
    session: SessionEnd
    last_line: str
    limit_s: float
    memory_mb: int


@dataclass(frozen=True)
class Verdict:
    """State, reason and a sentence. Reason INTERRUPTED means that the job may deserve another attempt."""

    state: State
    reason: Reason
    detail: str


def judge(evidence: Evidence) -> Verdict:
    """The verdict. An emergency stop and the submitter's wish outweigh everything, the robot's failure the exit code."""
    end, cause = evidence.session, evidence.cause
    if end.ending == "stopped":
        return Verdict(State.CANCELLED, Reason.EMERGENCY_STOP, _stop_sentence(end))
    if cause is Cause.CANCEL:
        return Verdict(State.CANCELLED, Reason.BY_USER, "Cancelled while it was running.")
    if cause is Cause.LEASE:
        return Verdict(State.FAILED, Reason.NO_LEASE, "Stopped: the lease of the fleet's job was lost.")
    interruption = _interruption(evidence)
    if interruption:
        return Verdict(State.FAILED, Reason.INTERRUPTED, interruption)
    if cause is Cause.DEADLINE or end.ending == "deadline":
        return Verdict(State.TIMED_OUT, Reason.TIME_LIMIT, f"Stopped at the time limit of {evidence.limit_s:g} s.")
    return _by_exit(evidence)


def _by_exit(evidence: Evidence) -> Verdict:
    assert evidence.exit is not None  # no exit is an interruption
    code = evidence.exit.code
    if code == 0:
        return Verdict(State.SUCCEEDED, Reason.NONE, "")
    if evidence.exit.gone:
        return Verdict(State.FAILED, Reason.CLIENT_GONE, evidence.exit.gone)
    if evidence.exit.out_of_memory:
        text = f"run.py needed more than the {evidence.memory_mb} MiB of memory that a job has."
        return Verdict(State.FAILED, Reason.OUT_OF_MEMORY, text)
    last = f": {evidence.last_line}" if evidence.last_line else " and had printed nothing."
    return Verdict(State.FAILED, Reason.EXIT_CODE, f"run.py ended {_how(code)}{last}")


def _interruption(evidence: Evidence) -> str:
    """Why the attempt isn't the program's own doing, or ''."""
    end = evidence.session
    if end.ending == "fault":
        return f"The robot had a fault ({end.fault.replace('_', ' ')})."
    if end.ending == "lease":
        return "The runner fell silent, so the robot stopped."
    if evidence.cause is Cause.SHUTDOWN:
        return "The appliance was stopped while it ran."
    if evidence.cause is Cause.CRASH:
        return "The appliance restarted while it ran."
    if evidence.cause is Cause.ENGINE or (evidence.cause is Cause.EXITED and evidence.exit is None):
        return "Docker Engine went away while it ran."
    if evidence.cause is Cause.EXITED and evidence.exit is not None and evidence.exit.signalled:
        return "run.py was ended from outside (SIGTERM), as Docker Engine does when it is stopped."
    if end.ending == "lost" and (evidence.exit is None or evidence.exit.code != 0):
        return "The robot's control went away while it ran."
    if evidence.cause is Cause.SESSION and end.ending != "deadline":
        return "The robot's session was ended from outside."
    return ""


def _how(code: int | None) -> str:
    if code is not None and code > 128:
        try:
            return f"by signal {signal.Signals(code - 128).name}"
        except ValueError:
            pass
    return f"with exit code {code}"


def _stop_sentence(end: SessionEnd) -> str:
    who = f" by {end.stop_who}" if end.stop_who else ""
    why = f": {end.stop_why}" if end.stop_why else ""
    return f"Emergency stop{who}{why}."
