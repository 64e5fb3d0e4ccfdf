"""When does a lease run out, and when does its holder stop? Two clocks that are never compared with each other. Pure.

Others judge a holder by the store's clock alone: the age of its last sign of life, both times from one reply. The holder
judges itself by its own monotonic clock alone, from the moment before it *sent* its last successful sign of life, and
stops at half the lease. As long as no clock runs twice as fast as another, it has stopped before anybody may take over.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

#: What a heartbeat interval and the others are stretched by, at most, so that appliances don't march in step.
JITTER: Final = 0.1


@dataclass(frozen=True)
class Timing:
    """The fleet's rhythm, s. It is the same for all members: a shorter lease than others believe in would be unsafe."""

    heartbeat_s: float = 300.0
    bell_s: float = 60.0
    lease_s: float = 900.0
    sweep_s: float = 9000.0  # an idle appliance looks for what was forgotten
    watch_s: float = 180.0  # a submitter's first look at what became of its job
    compact_s: float = 600.0
    horizon_s: float = 7200.0  # nothing younger is ever put below the watermark
    retry_s: float = 2.0
    revoked_s: float = 3600.0

    @property
    def hold_s(self) -> float:
        """How long a holder may act on one sign of life."""
        return self.lease_s / 2

    def scaled(self, factor: float) -> Timing:
        """All intervals times `factor`: for tests in real time."""
        return Timing(*(getattr(self, name) * factor for name in self.__dataclass_fields__))


def stretched(interval_s: float, rng: random.Random) -> float:
    """The interval and up to a tenth more."""
    return interval_s * (1.0 + JITTER * rng.random())


def has_expired(seen_s: float, now_s: float, lease_s: float) -> bool:
    """Whether a holder may be robbed; both times are the server's. A second is added for its clock's resolution."""
    return now_s - seen_s > lease_s + 1.0


def may_act(alive_s: float, now_s: float, needed_s: float, timing: Timing) -> bool:
    """Whether a holder may go on for `needed_s`; its own monotonic clock, from before its last sign of life was sent."""
    return now_s + needed_s <= alive_s + timing.hold_s
