"""What does the motor loop ask of a robot? The one seam between it and the hardware: reports in, duty out.

`pigpiod_link` is the real one (and speaks to the twin as well); scenarios use one that simulates in the process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from appliance.realtime.encoder import Report
from appliance.realtime.telemetry import Fault


class Received(NamedTuple):
    """What came in since the last tick.

    up: the robot is set up and answers. fault: what is wrong with the link, NONE if nothing. lost_reports: reports are
    missing, so the counts are no longer to be trusted. now_tick_us: the robot's clock now, as well as it is known.
    """

    up: bool
    fault: Fault
    reports: Sequence[Report]
    lost_reports: bool
    now_tick_us: int


class RobotLink(Protocol):
    """A robot. Neither call ever waits."""

    def receive(self, now_us: int) -> Received:
        """Take in everything that has arrived; called once per tick, before `send`."""

    def send(self, now_us: int, command: float | None) -> None:
        """Apply a signed bridge command until the next call; None is off, by the strongest means that the link has."""

    def close(self) -> None:
        """Switch off, as far as that still works without waiting, and let go."""
