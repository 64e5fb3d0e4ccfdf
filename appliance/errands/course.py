"""How was the pendulum at any moment of a run? The robot's own samples, with a cubic between two of them.

Pure: the samples come from `result.json`, which the appliance wrote from its encoder; what doesn't look like that is refused.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.errors import RaasError
from appliance.shapes import Result

Column = npt.NDArray[np.float64]
#: Longer than any job, and more samples than one can make.
_LONGEST_S: Final = 1200.0
_MOST_SAMPLES: Final = 50_000


class NoCourse(RaasError):
    """There is nothing to draw; says why."""


@dataclass(frozen=True)
class Moment:
    """Angle (0 upright, not wrapped), speed and action at one time."""

    angle_rad: float
    velocity_rad_s: float
    action: float


@dataclass(frozen=True)
class Course:
    """Columns of equal length, at least one sample."""

    times_s: Column
    angles_rad: Column
    velocities_rad_s: Column
    actions: Column

    @property
    def end_s(self) -> float:
        """When the last sample was taken."""
        return float(self.times_s[-1])

    def at(self, t_s: float) -> Moment:
        """The state then: a cubic through angles and speeds of the samples before and after; ends last for ever."""
        after = int(np.searchsorted(self.times_s, t_s))
        if after == 0 or after == len(self.times_s):
            index = min(after, len(self.times_s) - 1)
            return Moment(
                float(self.angles_rad[index]), float(self.velocities_rad_s[index]), float(self.actions[index])
            )
        before = after - 1
        span = float(self.times_s[after] - self.times_s[before])
        x = (t_s - float(self.times_s[before])) / span
        (a, b), (v, w) = (
            self.angles_rad[before : after + 1].tolist(),
            self.velocities_rad_s[before : after + 1].tolist(),
        )
        x2, x3 = x * x, x * x * x
        angle = (2 * x3 - 3 * x2 + 1) * a + (x3 - 2 * x2 + x) * span * v + (3 * x2 - 2 * x3) * b + (x3 - x2) * span * w
        return Moment(angle, v + (w - v) * x, float(self.actions[after]))


def of(result: Result) -> Course:
    """The course of a run. Raises NoCourse."""
    if not result.times:
        raise NoCourse("run.py made no step, so there is nothing to draw.")
    if len(result.times) > _MOST_SAMPLES or not len(result.times) == len(result.obs) == len(result.actions):
        raise NoCourse("The data of this run can't be drawn: there are too many, or their columns differ in length.")
    if any(len(each) != 3 for each in result.obs):
        raise NoCourse(
            "The data of this run can't be drawn: only a pendulum's can, whose observations have three numbers."
        )
    times, actions = np.asarray(result.times, float), np.asarray(result.actions, float)
    observed = np.asarray(result.obs, float)
    if not (np.isfinite(times).all() and np.isfinite(actions).all() and np.isfinite(observed).all()):
        raise NoCourse("The data of this run can't be drawn: some of them are no numbers.")
    if not (np.diff(times) > 0).all() or times[0] < 0 or times[-1] > _LONGEST_S:
        raise NoCourse("The data of this run can't be drawn: their times don't follow each other.")
    angles = np.unwrap(np.concatenate([[math.pi], np.arctan2(observed[:, 1], observed[:, 0])]))[1:]
    return Course(times, angles, observed[:, 2].copy(), actions)
