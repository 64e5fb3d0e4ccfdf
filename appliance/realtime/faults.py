"""Is the hardware broken? Judges of stall and encoder, slow to speak: no legal program may ever set one off."""

from __future__ import annotations

from collections import deque
from typing import Final

from appliance.realtime.kinds.handling import Balance

_STALL_US: Final = 500_000
_ILLEGAL_WINDOW_US: Final = 1_000_000
_ILLEGAL_LIMIT: Final = 5


class Stall:
    """The motor pushes so hard that the robot must move, and no edge comes: blocked, no 12 V, or a dead encoder.

    `balance` is that of the robot's kind.
    """

    def __init__(self, balance: Balance) -> None:
        self._net_rad_s2, self._held_rad_s2 = balance
        self._counts = 0
        self._since_us = 0

    def judge(self, now_us: int, counts: int, angle_rad: float, command: float | None) -> bool:
        """Whether the robot has been held for too long. Called every tick with what was last applied."""
        if counts != self._counts or not command or abs(self._net_rad_s2(angle_rad, command)) < self._held_rad_s2:
            self._counts, self._since_us = counts, now_us
        return now_us - self._since_us > _STALL_US


class EncoderLoss:
    """Edges were lost: gaps between the reports, or too many illegal transitions in a short time."""

    def __init__(self) -> None:
        self._illegal: deque[int] = deque(maxlen=_ILLEGAL_LIMIT)
        self._seen = 0

    def judge(self, now_us: int, illegal: int, lost_reports: bool) -> bool:
        """Whether the counts are no longer to be trusted. `illegal` counts transitions since the start."""
        self._illegal.extend([now_us] * min(illegal - self._seen, _ILLEGAL_LIMIT))
        self._seen = illegal
        full = len(self._illegal) == _ILLEGAL_LIMIT
        return lost_reports or (full and now_us - self._illegal[0] < _ILLEGAL_WINDOW_US)
