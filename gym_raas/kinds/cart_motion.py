"""How does the cart move? Its motor against friction, between two ends that stop it, on plain floats.

    x'' = drive - damping * x' - coulomb * sign(x')

with drive and damping of `gym_raas.motor`, all at the shaft (rad) and per unit of inertia. Between two reversals and the
ends this has an exact solution, an exponential, so no step is too long. What hits an end stays there without bouncing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

from gym_raas import motor
from gym_raas.declared import bounded
from gym_raas.physics import State
from gym_raas.wire import Flag

#: Way of the belt per angle of the shaft, by definition; see `gym_raas.kinds.cart`.
M_PER_RAD: Final = 0.02
#: How often the limits are looked at within a step.
_LOOK_S: Final = 0.0125
_HALVINGS: Final = 60
_OVER_SPEED: Final = int(Flag.OVER_SPEED)
_END_ZONE: Final = int(Flag.END_ZONE)


@dataclass(frozen=True)
class CartModel:
    """Motor and friction as `gym_raas.motor` has them, and the rail.

    half_travel_m: from the middle to each end. end_zone_m: the part before an end in which no command drives outwards.
    """

    viscous_per_s: float = field(metadata=bounded(0.01, 50.0))
    coulomb_rad_s2: float = field(metadata=bounded(0.0, 100.0))
    back_emf_per_s: float = field(metadata=bounded(0.0, 50.0))
    brake_per_s: float = field(metadata=bounded(0.0, 50.0))
    gain_rad_s2_per_command: float = field(metadata=bounded(1e-4, 10.0))
    dead_zone_command: float = field(metadata=bounded(0.0, 900.0))
    half_travel_m: float = field(metadata=bounded(0.2, 0.5))
    end_zone_m: float = field(metadata=bounded(0.0, 0.05))


class Cart:
    """A cart with its motor. Limits as `gym_raas.kinds.kind.Kind.limited` has them; by default there are none."""

    def __init__(self, model: CartModel, *, range_rad: float = math.inf, speed_limit_rad_s: float = math.inf) -> None:
        self.model = model
        self.end_rad = model.half_travel_m / M_PER_RAD
        self._range_rad, self._top_speed = range_rad, speed_limit_rad_s
        self._coulomb, self._braked = model.coulomb_rad_s2, motor.damping_per_s(model, 0.0)
        self._known: dict[float, tuple[float, float]] = {}

    def advance(self, state: State, command: float, duration_s: float, *, powered: bool = True) -> State:
        """The state `duration_s` later, as `gym_raas.kinds.kind.Mechanism` says."""
        drive = motor.drive_rad_s2(self.model, command) if powered else 0.0
        damping = motor.damping_per_s(self.model, command, powered=powered)
        angle, velocity, _ = self._run(state, drive, damping, duration_s)
        return State(angle, velocity)

    def step(self, state: tuple[float, float], command: float, duration_s: float) -> tuple[float, float, int]:
        """As `gym_raas.kinds.kind.Mechanism` says."""
        known = self._known.get(command)
        if known is None:
            drive = motor.drive_rad_s2(self.model, command)
            known = self._known[command] = drive, motor.damping_per_s(self.model, command)
        return self._run(state, *known, duration_s)

    def _run(self, state: tuple[float, float], drive: float, damping: float, left_s: float) -> tuple[float, float, int]:
        angle, velocity = state
        flags = 0
        while left_s > 1e-12:
            acting, damped = drive, damping
            if drive * velocity > 0.0 and abs(velocity) > self._top_speed:
                acting, damped, flags = 0.0, self._braked, flags | _OVER_SPEED
            if drive * angle > 0.0 and abs(angle) > self._range_rad:
                acting, damped, flags = 0.0, self._braked, flags | _END_ZONE
            used_s, angle, velocity = self._piece(angle, velocity, acting, damped, min(left_s, _LOOK_S))
            left_s -= used_s
        return angle, velocity, flags

    def _piece(
        self, angle: float, velocity: float, drive: float, damping: float, h: float
    ) -> tuple[float, float, float]:
        """(time, angle, velocity) up to `h`, a reversal or an end, whichever comes first."""
        heading = velocity or drive
        if velocity == 0.0 and (abs(drive) <= self._coulomb or angle * heading >= self.end_rad * abs(heading)):
            return h, angle, 0.0
        push = drive - math.copysign(self._coulomb, heading)
        end = math.copysign(self.end_rad, heading)
        after = velocity + _swept(damping, h) * (push - damping * velocity)
        if velocity * after < 0.0:
            h, after = min(h, math.log1p(-damping * velocity / push) / damping), 0.0
        there = _way(angle, velocity, push, damping, h)
        if (there - end) * heading < 0.0:
            return h, there, after
        low_s, high_s = 0.0, h
        for _ in range(_HALVINGS):
            middle_s = 0.5 * (low_s + high_s)
            if (_way(angle, velocity, push, damping, middle_s) - end) * heading < 0.0:
                low_s = middle_s
            else:
                high_s = middle_s
        return high_s, end, 0.0


def _swept(damping: float, t_s: float) -> float:
    """The integral of exp(-damping * t) from 0."""
    return -math.expm1(-damping * t_s) / damping


def _way(angle: float, velocity: float, push: float, damping: float, t_s: float) -> float:
    """Where it is after `t_s` of the exact solution."""
    swept_s = _swept(damping, t_s)
    return angle + velocity * swept_s + push * (t_s - swept_s) / damping
