"""Is the hardware broken? Judges of stall and encoder, slow to speak: no legal program may ever set one off."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from gym_raas.model import Model
from gym_raas.physics import Pendulum

_STALL_US: Final = 500_000
#: Net acceleration that no friction holds: this many times the fitted Coulomb friction, and then a margin for
#: an angle that is off by ten degrees.
_FRICTION_FACTOR: Final = 2.0
_ILLEGAL_WINDOW_US: Final = 1_000_000
_ILLEGAL_LIMIT: Final = 5


class Stall:
    """The motor pushes so hard that the arm must move, and no edge comes: blocked arm, no 12 V, or a dead encoder.

    Gravity is in the balance: an arm held still by a constant drive at an angle is an everyday sight, not a stall.
    """

    def __init__(self, model: Model) -> None:
        self._pendulum = Pendulum(model)
        self._gravity = model.gravity_rad_s2
        self._threshold = _FRICTION_FACTOR * model.coulomb_rad_s2 + math.sin(math.radians(10.0)) * model.gravity_rad_s2
        self._counts = 0
        self._since_us = 0

    def judge(self, now_us: int, counts: int, angle_rad: float, command: float | None) -> bool:
        """Whether the arm has been held for too long. Called every tick with what was last applied."""
        net = self._pendulum.drive_rad_s2(command or 0.0) + self._gravity * math.sin(angle_rad)
        if counts != self._counts or not command or abs(net) < self._threshold:
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
