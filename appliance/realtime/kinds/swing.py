"""What does a small swing tell about the arm? Its zero and its friction, from the turning points in encoder counts.

Friction holds the arm anywhere within about 2.6 degrees of hanging, so where it rests is no zero. A swing tells more: with
Coulomb friction and damping each turning point x' follows from the one before,

    x' = e - r (x - e),   r = exp(-pi b / sqrt(4 w2 - b^2)),

where e is the zero shifted by the friction: by +s while the arm goes back, by -s while it goes forward. Two half swings in
different directions give both shifts, zero = (e1 + e2) / 2 and s = (e1 - e2) / 2. An arm that sticks after its first half
swing is nudged to the other side, too.

Source: the equation of motion of `gym_raas.physics`, linearised about hanging.
"""

from __future__ import annotations

import math
from typing import Final

from gym_raas.model import Model
from gym_raas.parameters import Robot

#: A turning point counts when the arm has come back this far.
_RETURN_COUNTS: Final = 2
#: Friction that still is this robot's, as a multiple of the fitted one, with as many counts to spare as turning points are
#: uncertain by: below it the gear slips or the arm has come off, above it something rubs.
_LEAST_FRICTION: Final = 0.25
_MOST_FRICTION: Final = 3.0
_SPARE_COUNTS: Final = 0.5


class Swing:
    """The turning points after one nudge, or after two to different sides. All positions are the encoder's own counts."""

    def __init__(self, robot: Robot) -> None:
        model: Model = robot.model
        damping = model.viscous_per_s + model.brake_per_s
        self._ratio = math.exp(-math.pi * damping / math.sqrt(max(4.0 * model.gravity_rad_s2 - damping**2, 1e-6)))
        self._rad_s2_per_count = model.gravity_rad_s2 * robot.encoder.rad_per_count
        self.stick_counts = model.coulomb_rad_s2 / self._rad_s2_per_count
        self._turns: list[int] = []
        self._side = 1
        self._shifted: dict[int, float] = {}

    def begin(self, side: int, counts: int) -> None:
        """The arm has just been nudged to `side` (1 or -1) and is at `counts`, still going."""
        self._side, self._turns = side, [counts]

    def forget(self) -> None:
        """That was no small swing."""
        self._turns, self._shifted = [], {}

    def see(self, counts: int) -> None:
        """Note where the arm is: the last entry of `_turns` grows outwards until the arm comes back."""
        outwards = self._side if len(self._turns) % 2 else -self._side
        beyond = (counts - self._turns[-1]) * outwards
        if beyond > 0:
            self._turns[-1] = counts
        elif -beyond >= _RETURN_COUNTS:
            self._turns.append(counts)
            return
        for index, (before, after) in enumerate(zip(self._turns[:2], self._turns[1:3], strict=False)):
            direction = self._side if index % 2 == 0 else -self._side
            self._shifted[direction] = (after + self._ratio * before) / (1.0 + self._ratio)

    @property
    def has_returned(self) -> bool:
        """Whether the arm has made a half swing at all."""
        return len(self._turns) > 1

    @property
    def is_told(self) -> bool:
        """Whether zero and friction are known: half swings in both directions have been seen."""
        return len(self._shifted) == 2

    @property
    def centre_counts(self) -> float:
        """Where the arm hangs without friction."""
        return (self._shifted[1] + self._shifted[-1]) / 2.0

    @property
    def _friction_counts(self) -> float:
        return (self._shifted[1] - self._shifted[-1]) / 2.0

    @property
    def friction_rad_s2(self) -> float:
        """Coulomb friction per unit of inertia."""
        return max(0.0, self._friction_counts) * self._rad_s2_per_count

    @property
    def is_friction_sane(self) -> bool:
        """Whether it is about what this robot had when its model was fitted."""
        least = _LEAST_FRICTION * self.stick_counts - _SPARE_COUNTS
        return least <= self._friction_counts <= _MOST_FRICTION * self.stick_counts + _SPARE_COUNTS
