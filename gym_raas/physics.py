"""How does the pendulum move? The one model that simulated environment and twin share, on plain floats.

    theta'' = gravity * sin(theta) + drive - damping * theta' - coulomb * sign(theta')

Drive and damping are the motor's (`gym_raas.motor`). Angle 0 is upright, pi hanging; everything is per unit of inertia.
Between two reversals of the velocity the motion is smooth, so each substep is one Taylor series of the solution: a sine
and a cosine for fifth order, and the reversal is found as the root of the same series. At rest the arm sticks while
|gravity * sin(theta) + drive| <= coulomb; merely clamping the velocity at zero instead costs three digits of accuracy.
"""

from __future__ import annotations

import math
from math import ceil, cos, sin
from typing import Final, NamedTuple

from gym_raas import motor
from gym_raas.model import Model
from gym_raas.wire import Flag

#: Longest substep by default, three in an environment's step: 8e-5 rad at most from an event-located DOP853 in 10 s.
SUBSTEP_S: Final = 0.05 / 3.0
_OVER_SPEED: Final = int(Flag.OVER_SPEED)
_ROOT_ITERATIONS: Final = 60
_ROOT_TOLERANCE: Final = 1e-13


class State(NamedTuple):
    """Angle and angular velocity of the shaft, not wrapped; 0 is the kind's goal: upright, or the middle of a rail."""

    angle_rad: float
    velocity_rad_s: float


HANGING: Final = State(math.pi, 0.0)


class Pendulum:
    """A pendulum with its motor. It holds constants only; the state goes in and comes out.

    `speed_limit_rad_s`: beyond it, drive in the direction of motion is removed (checked at each substep); the twin
    has none, because there the motor loop's limit is under test.
    """

    def __init__(self, model: Model, *, substep_s: float = SUBSTEP_S, speed_limit_rad_s: float = math.inf) -> None:
        if not substep_s > 0.0:
            raise ValueError(f"substep_s is a positive number of seconds, not {substep_s!r}")
        self.model = model
        self.substep_s = substep_s
        self.speed_limit_rad_s = speed_limit_rad_s
        self._constants = model.gravity_rad_s2, model.coulomb_rad_s2, self.damping_per_s(0.0), speed_limit_rad_s
        self._motor: dict[float, tuple[float, float]] = {}

    def drive_rad_s2(self, command: float) -> float:
        """Acceleration that a signed bridge command gives the arm."""
        return motor.drive_rad_s2(self.model, command)

    def damping_per_s(self, command: float, *, powered: bool = True) -> float:
        """Velocity-proportional damping: the bridge's share grows with the command; most while it brakes."""
        return motor.damping_per_s(self.model, command, powered=powered)

    def energy_rad2_s2(self, state: State) -> float:
        """Mechanical energy per unit of inertia; 0 hanging at rest, 2 * gravity upright at rest."""
        potential = self.model.gravity_rad_s2 * (1.0 + math.cos(state.angle_rad))
        return 0.5 * state.velocity_rad_s * state.velocity_rad_s + potential

    def advance(self, state: State, command: float, duration_s: float, *, powered: bool = True) -> State:
        """The state `duration_s` later under a constant bridge command; any duration >= 0, cut into equal substeps.

        `powered=False` is an unpowered (free) bridge: no drive, no brake.
        """
        driven = command if powered else 0.0
        damping = self.damping_per_s(driven, powered=powered)
        angle, velocity, _ = self._run(state, self.drive_rad_s2(driven), damping, duration_s)
        return State(angle, velocity)

    def step(self, state: tuple[float, float], command: float, duration_s: float) -> tuple[float, float, int]:
        """(angle, velocity, the limit that took drive away as `gym_raas.wire.Flag`) after a step with power.

        What each command does is remembered: for the few that an actuator can give.
        """
        known = self._motor.get(command)
        if known is None:
            known = self._motor[command] = self.drive_rad_s2(command), self.damping_per_s(command)
        angle, velocity, over_speed = self._run(state, known[0], known[1], duration_s)
        return angle, velocity, _OVER_SPEED if over_speed else 0

    def _run(
        self, state: tuple[float, float], drive: float, damping: float, duration_s: float
    ) -> tuple[float, float, bool]:
        if not duration_s > 0.0:
            return *state, False
        substeps = ceil(duration_s / self.substep_s - 1e-9) or 1
        return run(*state, drive, damping, substeps, duration_s / substeps, *self._constants)


def run(
    angle: float,
    velocity: float,
    drive: float,
    damping: float,
    substeps: int,
    h: float,
    gravity: float,
    coulomb: float,
    braked_per_s: float,
    top_speed: float,
) -> tuple[float, float, bool]:
    """(angle, velocity, whether the speed limit took drive away) after at least one substep, each of `h` seconds.

    `braked_per_s`: the damping that takes over where drive is taken away beyond `top_speed`.
    """
    # One long function on local floats on purpose: this is where a simulated step spends its time. No name of another
    # module of ours stands in it, so that `gym_raas.compiled` can compile it as it is.
    over_speed, full_s = False, h
    while True:
        if not -top_speed <= velocity <= top_speed and drive * velocity > 0.0:
            drive, damping, over_speed = 0.0, braked_per_s, True
        sine = gravity * sin(angle)
        if velocity:
            push = drive - coulomb if velocity > 0.0 else drive + coulomb
        elif -coulomb <= sine + drive <= coulomb:
            return angle, 0.0, over_speed  # it sticks until the command changes
        else:
            push = drive - coulomb if sine + drive > 0.0 else drive + coulomb
        # Taylor coefficients of the velocity: derivatives of the angle from the second to the sixth, scaled.
        cosine = gravity * cos(angle)
        square = velocity * velocity
        d2 = sine + push - damping * velocity
        d3 = cosine * velocity - damping * d2
        d4 = cosine * d2 - sine * square - damping * d3
        d5 = cosine * (d3 - velocity * square) - 3.0 * sine * velocity * d2 - damping * d4
        d6 = (
            cosine * (d4 - 6.0 * square * d2)
            + sine * (square * square - 4.0 * velocity * d3 - 3.0 * d2 * d2)
            - damping * d5
        )
        c2, c3, c4, c5 = d3 / 2.0, d4 / 6.0, d5 / 24.0, d6 / 120.0
        after = velocity + h * (d2 + h * (c2 + h * (c3 + h * (c4 + h * c5))))
        left_s = 0.0
        if velocity > 0.0 > after or velocity < 0.0 < after:
            at_s = crossing_s(velocity, d2, c2, c3, c4, c5, h, h * velocity / (velocity - after))
            left_s, h, after = h - at_s, at_s, 0.0
        angle += h * (velocity + h * (d2 / 2.0 + h * (c2 / 3.0 + h * (c3 / 4.0 + h * (c4 / 5.0 + h * c5 / 6.0)))))
        velocity = after
        if left_s > 0.0:
            h = left_s  # the rest of this substep, from standstill
            continue
        substeps -= 1
        if not substeps:
            return angle, velocity, over_speed
        h = full_s


def crossing_s(c0: float, c1: float, c2: float, c3: float, c4: float, c5: float, end_s: float, guess_s: float) -> float:
    """Where a series of opposite signs at 0 and `end_s` crosses zero: Newton's method, kept in its bracket."""
    low_s, high_s, at_s = 0.0, end_s, guess_s
    for _ in range(_ROOT_ITERATIONS):
        value = c0 + at_s * (c1 + at_s * (c2 + at_s * (c3 + at_s * (c4 + at_s * c5))))
        slope = c1 + at_s * (2.0 * c2 + at_s * (3.0 * c3 + at_s * (4.0 * c4 + at_s * 5.0 * c5)))
        if (value > 0.0) == (c0 > 0.0):
            low_s = at_s
        else:
            high_s = at_s
        next_s = at_s - value / slope if slope else low_s
        if not low_s <= next_s <= high_s:
            next_s = 0.5 * (low_s + high_s)
        if abs(next_s - at_s) <= _ROOT_TOLERANCE * end_s:
            return next_s
        at_s = next_s
    return at_s
