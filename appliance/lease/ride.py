"""What goes through the relay while somebody drives? Each request once, its answer as often as it is asked for; and the time.

The network may lose an answer with its connection. The client then asks again under the same number, and hears the answer
that there was: what acts is never carried out twice. Pure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from appliance.lease_shapes import NetworkTiming
from gym_raas import wire

_ONCE: Final = (wire.Action, wire.Reset)
#: Exchanges that figures are made of: more than an hour of steps.
_KEPT: Final = 100_000


@dataclass(frozen=True)
class Forward:
    """Pass this on to the robot."""

    inner: bytes


@dataclass(frozen=True)
class Again:
    """Send the client this answer, which it may have missed."""

    inner: bytes
    at_robot_s: float


class Ride:
    """One lease while it drives. Times are of one monotonic clock."""

    def __init__(self) -> None:
        self._number = -1
        self._came_s: float | None = None
        self._answered: Again | None = None
        self._left_s: float | None = None
        self._network_s: list[float] = []
        self._at_robot_s: list[float] = []
        self._away_s: list[float] = []
        self.repeated = 0

    def request(self, inner: bytes, network_s: float, now_s: float) -> Forward | Again | None:
        """What to do about the client's message; None: its answer is on the way. Raises wire.WireError."""
        message = wire.parse_request(inner)
        if not isinstance(message, _ONCE):
            return Forward(inner)
        if message.seq == self._number:
            self.repeated += 1
            if self._answered is not None or self._came_s is not None:
                return self._answered
            self._came_s = now_s  # it was refused for the moment, or got lost on its way
            return Forward(inner)
        if isinstance(message, wire.Action):
            self._note(network_s, now_s)
        self._number, self._came_s, self._answered = message.seq, now_s, None
        return Forward(inner)

    def reply(self, inner: bytes, now_s: float) -> float:
        """The robot has answered; how long it took, s. Raises wire.WireError."""
        message = wire.parse_reply(inner)
        if self._came_s is None:
            return 0.0
        if getattr(message, "seq", None) != self._number:
            if isinstance(message, wire.Sample) or getattr(message, "code", None) is wire.Refusal.NOT_DRIVER:
                self._came_s = None  # the gateway answers something later, or knows nobody: what was asked for got lost
            return 0.0
        took_s = now_s - self._came_s
        if isinstance(message, wire.Sample):
            self._answered = Again(inner, took_s)
            if len(self._at_robot_s) < _KEPT:
                self._at_robot_s.append(took_s)
            self._left_s = now_s
        self._came_s = None
        return took_s

    def network(self, address: str, losses: int) -> NetworkTiming:
        """What the network has cost in all."""
        return NetworkTiming(
            address=address,
            exchanges=len(self._at_robot_s),
            network_p50_s=quantile(self._network_s, 0.5),
            network_p99_s=quantile(self._network_s, 0.99),
            network_max_s=quantile(self._network_s, 1.0),
            away_p50_s=quantile(self._away_s, 0.5),
            away_p99_s=quantile(self._away_s, 0.99),
            away_max_s=quantile(self._away_s, 1.0),
            at_robot_p50_s=quantile(self._at_robot_s, 0.5),
            reconnects=losses,
            repeated=self.repeated,
        )

    def _note(self, network_s: float, now_s: float) -> None:
        if self._left_s is not None and len(self._away_s) < _KEPT:
            self._away_s.append(now_s - self._left_s)
            self._network_s.append(network_s)
        self._left_s = None


def quantile(values: list[float], share: float) -> float:
    """The value that this share of all is not above; 0 without any."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0
