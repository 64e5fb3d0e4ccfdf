"""What does a real robot do worse than its model? Counts, late commands, a clock that scatters, constants not quite known.

All off is the plain simulation; `Imperfections.measured(robot)` is all of them, as the robot's own calibration found them.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from gym_raas.kinds.known import KINDS
from gym_raas.parameters import Robot

#: Where a robot file doesn't say it: from a command to the arm, tick and PWM period included.
USUAL_DELAY_S: Final = 0.002
#: The loop's velocity is a mean over the newest edges, at most so far back.
VELOCITY_WINDOW_S: Final = 0.01
#: Scatter of a sample around its boundary on a machine that does nothing else.
USUAL_JITTER_S: Final = 1e-4


@dataclass(frozen=True)
class Imperfections:
    """Each is off by default.

    encoder: angles are whole counts. velocity_window_s: velocity is a mean over so long. delay_s: a command acts so much
    later. jitter_s: standard deviation of a sample's time around its boundary. randomise: each episode draws the model's
    constants from the fit's uncertainties, times this factor.
    """

    encoder: bool = False
    velocity_window_s: float = 0.0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    randomise: float = 0.0

    def __post_init__(self) -> None:
        """Raise ValueError for what can't be simulated."""
        for name, most in (("velocity_window_s", 0.05), ("delay_s", 0.05), ("jitter_s", 0.01), ("randomise", 10.0)):
            value = getattr(self, name)
            if not 0.0 <= value <= most:
                raise ValueError(f"{name} {value!r} given; expected is a number from 0 to {most:g}")

    @staticmethod
    def measured(robot: Robot) -> Imperfections:
        """All of them, as the robot's file tells; what it doesn't tell is as usual."""
        delay_s = robot.fitted.get("delay_s")
        known = isinstance(delay_s, int | float) and 0.0 <= delay_s <= 0.05
        return Imperfections(
            encoder=True,
            velocity_window_s=VELOCITY_WINDOW_S,
            delay_s=float(delay_s) if known and delay_s is not None else USUAL_DELAY_S,
            jitter_s=USUAL_JITTER_S,
            randomise=1.0 if _uncertainty(robot.fitted) is not None else 0.0,
        )


def drawn(robot: Robot, factor: float, rng: np.random.Generator) -> Any:
    """A model that the robot's recordings allow as well, with the fit's correlations; raises ValueError without a fit."""
    return draws(robot, factor, rng, 1)[0]


def draws(robot: Robot, factor: float, rng: np.random.Generator, number: int) -> list[Any]:
    """As many such models."""
    found = _uncertainty(robot.fitted)
    if found is None:
        raise ValueError(f"robot {robot.name!r} has no fitted uncertainties to draw from: calibrate it, or randomise=0")
    names, covariance = found
    changes = factor * rng.multivariate_normal(np.zeros(len(names)), covariance, number, method="eigh")
    limits = {each.name: each.metadata["range"] for each in dataclasses.fields(robot.model)}
    columns = {
        name: np.clip(getattr(robot.model, name) + change, *limits[name]).tolist()
        for name, change in zip(names, changes.T, strict=True)
        if name in limits
    }
    return [
        dataclasses.replace(robot.model, **dict(zip(columns, row, strict=True)))
        for row in zip(*columns.values(), strict=True)
    ]


def _uncertainty(fitted: dict[str, Any]) -> tuple[list[str], npt.NDArray[np.float64]] | None:
    """Names and covariance in a robot file's provenance; None where it has none that makes sense."""
    try:
        names = [str(name) for name in fitted["parameters"]]
        sd = np.asarray(fitted["sd"], dtype=float)
        correlation = np.asarray(fitted["correlation"], dtype=float)
    except (KeyError, TypeError, ValueError):
        return None
    size = len(names)
    right = sd.shape == (size,) and correlation.shape == (size, size) and bool(np.all(np.isfinite(correlation)))
    if not right or not np.all((sd >= 0.0) & np.isfinite(sd)):
        return None
    return names, correlation * np.outer(sd, sd)


def counted(angle_rad: float, robot: Robot) -> float:
    """The angle as the encoder tells it: the whole count below, 0 at rest."""
    unit, home_rad = robot.encoder.rad_per_count, KINDS[robot.kind].home_rad
    return home_rad + math.floor((angle_rad - home_rad) / unit) * unit
