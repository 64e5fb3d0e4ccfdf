"""How is the pendulum handled? Braked until it hangs still, nudged, and judged by the swing after it."""

from __future__ import annotations

import math
import random
from types import MappingProxyType
from typing import Final

from appliance.realtime.kinds.handling import Balance, Handling
from appliance.realtime.kinds.pendulum_settling import PendulumSettling
from gym_raas import motor
from gym_raas.kinds.known import PENDULUM as KIND
from gym_raas.model import Model
from gym_raas.physics import State

#: Net acceleration that no friction holds: this many times the fitted Coulomb friction, and then a margin for
#: an angle that is off by ten degrees.
_FRICTION_FACTOR: Final = 2.0
_MARGIN: Final = math.sin(math.radians(10.0))
#: Where an arm comes to rest by itself: within this share of the angle at which friction still holds it.
_REST_SHARE: Final = 0.8


def balance(model: Model) -> Balance:
    """Gravity is in it: an arm held still by a constant drive at an angle is an everyday sight, not a stall."""
    gravity = model.gravity_rad_s2

    def net_rad_s2(angle_rad: float, command: float) -> float:
        return motor.drive_rad_s2(model, command) + gravity * math.sin(angle_rad)

    return Balance(net_rad_s2, _FRICTION_FACTOR * model.coulomb_rad_s2 + _MARGIN * gravity)


def rest(model: Model, chance: random.Random) -> State:
    """Hanging, off the centre by some angle that friction holds."""
    return State(math.pi + chance.uniform(-_REST_SHARE, _REST_SHARE) * stuck_angle_rad(model), 0.0)


def stuck_angle_rad(model: Model) -> float:
    """How far from hanging the arm can rest, held by Coulomb friction alone."""
    return math.asin(min(model.coulomb_rad_s2 / model.gravity_rad_s2, 1.0))


PENDULUM: Final = Handling(
    kind=KIND,
    settle=PendulumSettling,
    balance=balance,
    turns=True,
    rest=rest,
    settling="The pendulum is being braked to rest, so that {job} starts from hanging still.",
    sentences=MappingProxyType({}),
)
