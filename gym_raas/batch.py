"""How do many pendulums move at once? The same motion as `gym_raas.physics`, a numpy array for each quantity.

Every pendulum may have constants of its own. Those whose velocity reverses within a substep are taken out, brought to
the moment of the reversal, and given the rest of the substep from there.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from gym_raas.model import Model
from gym_raas.motor import REFERENCE_COMMAND
from gym_raas.physics import SUBSTEP_S

Floats = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]

#: Newton's method from a good guess needs four or five; bisection alone would end here.
_ROOT_ITERATIONS: Final = 60
_ROOT_TOLERANCE: Final = 1e-13


@dataclass(frozen=True)
class Models:
    """Constants of n pendulums, each of shape (n,); see `gym_raas.parameters.Model`."""

    gravity_rad_s2: Floats
    viscous_per_s: Floats
    coulomb_rad_s2: Floats
    back_emf_per_s: Floats
    brake_per_s: Floats
    gain_rad_s2_per_command: Floats
    dead_zone_command: Floats

    @staticmethod
    def of(models: Sequence[Model]) -> Models:
        """One pendulum for each model."""
        return Models(*np.array([dataclasses.astuple(model) for model in models]).T.copy())

    def replace(self, which: npt.NDArray[np.int64], others: Models) -> None:
        """Give some pendulums other constants."""
        for each in dataclasses.fields(self):
            getattr(self, each.name)[which] = getattr(others, each.name)


def substeps(duration_s: float) -> tuple[int, float]:
    """(number, length) of the equal substeps that `gym_raas.physics` makes of a duration."""
    number = math.ceil(duration_s / SUBSTEP_S - 1e-9) or 1
    return number, duration_s / number


def step(
    models: Models, angles: Floats, velocities: Floats, commands: Floats, duration_s: float, top_speed: float
) -> tuple[Floats, Floats, Truths]:
    """(angles, velocities, where the speed limit took drive away) after a step with power; all of shape (n,)."""
    size = np.abs(commands)
    drive = np.copysign(models.gain_rad_s2_per_command * np.maximum(size - models.dead_zone_command, 0.0), commands)
    braked = models.viscous_per_s + models.brake_per_s
    driven = models.viscous_per_s + models.back_emf_per_s * np.sqrt(size / REFERENCE_COMMAND)
    damping = np.where(commands == 0.0, braked, driven)
    over_speed = np.zeros(len(angles), np.bool_)
    number, h = substeps(duration_s)
    for _ in range(number):
        too_fast = (np.abs(velocities) > top_speed) & (drive * velocities > 0.0)
        if too_fast.any():
            over_speed |= too_fast
            drive, damping = np.where(too_fast, 0.0, drive), np.where(too_fast, braked, damping)
        angles, velocities = _substep(
            angles, velocities, drive, damping, models.gravity_rad_s2, models.coulomb_rad_s2, np.float64(h)
        )
    return angles, velocities, over_speed


def _substep(
    angle: Floats,
    velocity: Floats,
    drive: Floats,
    damping: Floats,
    gravity: Floats,
    coulomb: Floats,
    h: Floats | np.float64,
) -> tuple[Floats, Floats]:
    sine, cosine = gravity * np.sin(angle), gravity * np.cos(angle)
    pull = sine + drive
    moving = velocity != 0.0
    push = drive - np.copysign(coulomb, np.where(moving, velocity, pull))
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
    series = (velocity, d2, d3 / 2.0, d4 / 6.0, d5 / 24.0, d6 / 120.0)
    after = _value(series, h)
    sticks = ~moving & (np.abs(pull) <= coulomb)
    new_angle = np.where(sticks, angle, angle + _integral(series, h))
    after = np.where(sticks, 0.0, after)
    (turns,) = np.nonzero(((velocity > 0.0) & (after < 0.0)) | ((velocity < 0.0) & (after > 0.0)))
    if len(turns):
        some = tuple(each[turns] for each in series)
        end_s = np.broadcast_to(h, angle.shape)[turns]
        at_s = _crossing_s(some, end_s, end_s * some[0] / (some[0] - after[turns]))
        there = angle[turns] + _integral(some, at_s)
        new_angle[turns], after[turns] = _substep(
            there, np.zeros_like(there), drive[turns], damping[turns], gravity[turns], coulomb[turns], end_s - at_s
        )
    return new_angle, after


def _value(c: tuple[Floats, ...], t: Floats | np.float64) -> Floats:
    return c[0] + t * (c[1] + t * (c[2] + t * (c[3] + t * (c[4] + t * c[5]))))


def _integral(c: tuple[Floats, ...], t: Floats | np.float64) -> Floats:
    rest = c[2] / 3.0 + t * (c[3] / 4.0 + t * (c[4] / 5.0 + t * c[5] / 6.0))
    return t * (c[0] + t * (c[1] / 2.0 + t * rest))


def _crossing_s(c: tuple[Floats, ...], end_s: Floats, guess_s: Floats) -> Floats:
    """Where each series crosses zero before `end_s`: Newton's method, kept in its bracket."""
    low_s, high_s, at_s = np.zeros_like(end_s), end_s, guess_s
    for _ in range(_ROOT_ITERATIONS):
        value = _value(c, at_s)
        slope = c[1] + at_s * (2.0 * c[2] + at_s * (3.0 * c[3] + at_s * (4.0 * c[4] + at_s * 5.0 * c[5])))
        before = (value > 0.0) == (c[0] > 0.0)
        low_s, high_s = np.where(before, at_s, low_s), np.where(before, high_s, at_s)
        next_s = np.where(slope != 0.0, at_s - value / np.where(slope != 0.0, slope, 1.0), low_s)
        next_s = np.where((low_s <= next_s) & (next_s <= high_s), next_s, 0.5 * (low_s + high_s))
        close = np.abs(next_s - at_s) <= _ROOT_TOLERANCE * end_s
        at_s = next_s
        if close.all():
            break
    return at_s
