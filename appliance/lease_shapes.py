"""What do driving over the network, its permissions and its timing look like over HTTP and in a report?"""

from __future__ import annotations

import msgspec


class NetworkTiming(msgspec.Struct, frozen=True, kw_only=True):
    """What the network cost a program that drove from elsewhere; p50, p99 and maximum over all steps, s.

    network: there and back, as its client measured. away: from an answer's leaving to the next action's coming, network and
    program together. at_robot: from an action's coming to its answer. reconnects: connections lost and found again.
    repeated: requests that came again, whose answer had got lost.
    """

    address: str
    exchanges: int
    network_p50_s: float
    network_p99_s: float
    network_max_s: float
    away_p50_s: float
    away_p99_s: float
    away_max_s: float
    at_robot_p50_s: float
    reconnects: int
    repeated: int


class LeasePerson(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who may drive over the network, until when (s since the epoch; null: no end)."""

    name: str
    made_at: float
    ends_at: float | None
    ended: bool


class LeaseView(msgspec.Struct, frozen=True, kw_only=True):
    """`GET /api/lease`: whether and where a program elsewhere may drive, how long at a time, and how long a day."""

    enabled: bool
    port: int
    limit_s: float
    quota_s: float


class NewLease(msgspec.Struct, frozen=True, kw_only=True):
    """What `raas lease grant` prints, on the appliance alone: a token for driving, told this once."""

    name: str
    token: str
