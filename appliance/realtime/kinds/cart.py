"""How is the cart handled? Driven slowly to both ends, which tells the middle, and parked to the left of it."""

from __future__ import annotations

import random
from types import MappingProxyType
from typing import Final

from appliance.realtime.kinds.cart_settling import CartSettling
from appliance.realtime.kinds.handling import Balance, Handling
from appliance.realtime.telemetry import Fault
from gym_raas import motor
from gym_raas.kinds.cart_motion import M_PER_RAD, CartModel
from gym_raas.kinds.known import KINDS
from gym_raas.physics import State

#: No friction holds this many times the usual one.
_FRICTION_FACTOR: Final = 2.0
#: Nobody parks it against an end.
_REST_SHARE: Final = 0.8


def balance(model: CartModel) -> Balance:
    """Only the motor pushes."""

    def net_rad_s2(_angle_rad: float, command: float) -> float:
        return motor.drive_rad_s2(model, command)

    return Balance(net_rad_s2, _FRICTION_FACTOR * model.coulomb_rad_s2)


def rest(model: CartModel, chance: random.Random) -> State:
    """Wherever somebody has left it."""
    return State(chance.uniform(-_REST_SHARE, _REST_SHARE) * model.half_travel_m / M_PER_RAD, 0.0)


CART: Final = Handling(
    kind=KINDS["cart"],
    settle=CartSettling,
    balance=balance,
    turns=False,
    rest=rest,
    settling="The cart is looking for both ends and drives to its mark, so that {job} starts from there.",
    sentences=MappingProxyType(
        {
            Fault.STALL: "The motor is driven but the cart doesn't move. Check for something in its way, the belt, the 12 V "
            "supply, the motor's and the encoder's plugs.",
            Fault.DIRECTION: "The cart goes against the motor. The two motor wires, or the two encoder channels, are swapped.",
            Fault.NEVER_SETTLES: "The cart doesn't come to its mark. Check that nobody pushes it and that the belt is tight.",
            Fault.FRICTION: "The way between the ends isn't as long as the robot's file says. Check for something on the rail, "
            "the belt's teeth and the encoder's counts.",
        }
    ),
)
