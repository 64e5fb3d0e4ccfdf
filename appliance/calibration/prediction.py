"""What would the twin have done in a recorded run? Its angles, open loop, from a start that is fitted to the run.

The start is all that is fitted here: angle and velocity at the first sample and, where gravity acts, the encoder's
reading of hanging at rest, which a recording doesn't tell.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import numpy as np

from appliance.calibration import least_squares
from appliance.calibration.recordings import Run, Series
from gym_raas.model import Model
from gym_raas.physics import Pendulum, State

#: Scales of a start's numbers for the solver: angle, velocity, rest angle.
START_SCALE: Final = np.array([0.01, 0.1, 0.01])
_SLOPE_SAMPLES: Final = 6


@dataclass(frozen=True)
class Start:
    """How a run begins. `rest_rad` is where the encoder reads hanging at rest; 0 on its side."""

    angle_rad: float
    velocity_rad_s: float
    rest_rad: float


def pendulum_for(model: Model, run: Run) -> Pendulum:
    """The pendulum as it was mounted in the run."""
    return Pendulum(dataclasses.replace(model, gravity_rad_s2=0.0) if run.sideways else model)


def angles(model: Model, run: Run, start: Start, delay_s: float = 0.0) -> Series:
    """The twin's angles at the run's sample times, shape (N,), in the encoder's frame.

    `delay_s`: how long after its sample a changed command reaches the arm; shorter than the time between two changes. A start
    or model that flings the arm beyond all numbers, as a search may try, has angles that aren't finite from there on.
    """
    found = np.full(len(run.times_s), math.inf)
    with suppress(ValueError):  # the sine of infinity
        for index, angle_rad in enumerate(_angles(model, run, start, delay_s)):
            found[index] = angle_rad
    return found


def _angles(model: Model, run: Run, start: Start, delay_s: float) -> Iterator[float]:
    pendulum, shift = pendulum_for(model, run), math.pi - start.rest_rad
    state = State(start.angle_rad + shift, start.velocity_rad_s)
    yield start.angle_rad
    commands, durations_s = run.commands.tolist(), np.diff(run.times_s).tolist()
    acting, late_s = commands[0], 0.0
    for command, duration_s in zip(commands, durations_s, strict=False):
        if command != acting and late_s <= 0.0:
            late_s = delay_s
        left_s = duration_s
        if late_s > 0.0:
            before_s = min(late_s, duration_s)
            state = pendulum.advance(state, acting, before_s, powered=run.powered)
            late_s -= before_s
            left_s -= before_s
        if late_s <= 0.0:
            acting = command
        state = pendulum.advance(state, acting, left_s, powered=run.powered)
        yield state.angle_rad - shift


def start_count(run: Run) -> int:
    """How many numbers a run's start has, of its own."""
    return 2 if run.sideways or run.from_hanging else 3


def start_of(numbers: Series, shared_rest_rad: float = 0.0) -> Start:
    """The start that a solver's numbers mean; `shared_rest_rad` is that of runs that count from hanging."""
    rest = float(numbers[2]) if len(numbers) > 2 else shared_rest_rad
    return Start(float(numbers[0]), float(numbers[1]), rest)


def steered(run: Run) -> bool:
    """Whether the command changes during the run, so that a delay shows."""
    return run.command is None


def guesses(run: Run) -> list[Series]:
    """Starts to begin a search from."""
    few = slice(0, _SLOPE_SAMPLES)
    slope = float(np.polyfit(run.times_s[few], run.angles_rad[few], 1)[0])
    first = float(run.angles_rad[0])
    if run.sideways:
        return [np.array([first, velocity]) for velocity in (slope, 0.0)]
    middle = 0.5 * float(np.min(run.angles_rad) + np.max(run.angles_rad))
    return [np.array([first, slope, rest]) for rest in (middle, float(np.mean(run.angles_rad)))]


def fitted_start(model: Model, run: Run, rest_rad: float | None = None, delay_s: float = 0.0) -> Start:
    """The start with the smallest error over the whole run; `rest_rad` is taken as known where given."""
    known = None if run.sideways else 0.0 if rest_rad is None and run.from_hanging else rest_rad
    best: Start | None = None
    smallest = math.inf
    for guess in guesses(run):
        start, error = _search(model, run, guess if known is None else guess[:2], known, delay_s)
        if error < smallest:
            best, smallest = start, error
    assert best is not None
    return best


def _search(model: Model, run: Run, guess: Series, rest_rad: float | None, delay_s: float) -> tuple[Start, float]:
    def meant(numbers: Series) -> Start:
        start = start_of(numbers)
        return start if rest_rad is None else dataclasses.replace(start, rest_rad=rest_rad)

    def residual(numbers: Series) -> Series:
        return angles(model, run, meant(numbers), delay_s) - run.angles_rad

    found = least_squares.solve(residual, guess, START_SCALE[: len(guess)])
    return meant(found.unknowns), float(found.residual @ found.residual)


def rmse_rad(residual: Series) -> float:
    """Root of the mean square."""
    return float(np.sqrt(np.mean(np.square(residual))))
