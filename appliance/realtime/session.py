"""How long may a job drive? One session: its number, its clock, its deadline and its lease."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.realtime.messages import Ending


@dataclass(slots=True)
class Session:
    """A session from arm to end; all times are monotonic microseconds.

    The clock runs from `start()`: run.py's start or the job's first message, whichever is first. The lease runs from
    the moment of arming.
    """

    number: int
    limit_us: int
    lease_us: int
    leased_until_us: int
    started_us: int | None = None

    @classmethod
    def armed(cls, number: int, limit_s: float, lease_s: float, now_us: int) -> Session:
        """A new session whose clock doesn't run yet."""
        lease_us = round(lease_s * 1e6)
        return cls(number, round(limit_s * 1e6), lease_us, now_us + lease_us)

    def start(self, now_us: int) -> None:
        """Start the clock; later calls change nothing."""
        if self.started_us is None:
            self.started_us = now_us

    def renew(self, now_us: int) -> None:
        """The runner lives."""
        self.leased_until_us = now_us + self.lease_us

    def elapsed_us(self, now_us: int) -> int:
        """Time on the session's clock."""
        return 0 if self.started_us is None else now_us - self.started_us

    def left_us(self, now_us: int) -> int:
        """Time until the deadline."""
        return max(0, self.limit_us - self.elapsed_us(now_us))

    def over(self, now_us: int) -> Ending | None:
        """Why the session must end now, None while it may go on."""
        if self.elapsed_us(now_us) >= self.limit_us:
            return Ending.DEADLINE
        if now_us >= self.leased_until_us:
            return Ending.LEASE
        return None
