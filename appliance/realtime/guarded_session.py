"""What does the guard know of the present session? Its second layer over the loop's own lease and deadline; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from appliance.realtime.messages import Ending
from gym_raas.wire import Refusal

#: The loop ends a session by itself; the guard steps in this much later.
MARGIN_S: Final = 0.5

_TEXTS: Final = {
    Ending.DISARMED: (Refusal.OVER, "The session is over."),
    Ending.DEADLINE: (Refusal.OVER, "The time limit is reached; the motor is off."),
    Ending.LEASE: (Refusal.OVER, "The appliance's runner fell silent; the motor is off."),
    Ending.STOPPED: (Refusal.STOPPED, "Emergency stop: somebody has switched the motor off."),
    Ending.FAULT: (Refusal.FAULT, "The robot is faulty; the motor is off."),
}


def job_text(ending: Ending) -> tuple[Refusal, str]:
    """What a job is told about the end of its session."""
    return _TEXTS[ending]


@dataclass
class GuardedSession:
    """One session, from the first step of arming until it is disarmed. Times are the guard's monotonic seconds.

    wants_socket: a gateway, also a new one, must keep its socket open.
    """

    number: int
    job_gid: int
    limit_s: float
    lease_s: float
    leased_s: float
    started_s: float | None = None
    ending: Ending | None = None
    is_armed: bool = False
    wants_socket: bool = False

    @property
    def name(self) -> str:
        """Sixteen hex digits."""
        return f"{self.number:016x}"

    def start(self, now_s: float) -> None:
        """The clock runs; later calls change nothing."""
        if self.started_s is None:
            self.started_s = now_s

    def overdue(self, now_s: float) -> Ending | None:
        """Why the loop should have ended it long ago; None while all is well."""
        if self.ending is not None or not self.is_armed:
            return None
        if self.started_s is not None and now_s > self.started_s + self.limit_s + MARGIN_S:
            return Ending.DEADLINE
        if now_s > self.leased_s + self.lease_s + MARGIN_S:
            return Ending.LEASE
        return None


def parse_session(text: str) -> int | None:
    """The number of a session given as 16 hex digits; None when it is none."""
    if len(text) != 16 or not set(text) <= set("0123456789abcdef"):
        return None
    return int(text, 16) or None
