"""How far is the robot from its twin in a job? The recorded commands, with their real times, run on the twin.

Two questions, two figures. *Where do they part?* The twin starts as the robot did and runs open loop to the end; a
pendulum amplifies any difference, so after a pass over the top the two go their own ways and nothing is wrong. *Does
the model still fit?* The twin starts anew from the measured state each second; that error says how the robot ages.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.calibration.recordings import Series
from gym_raas.kinds.known import KINDS
from gym_raas.parameters import Robot
from gym_raas.physics import State

#: Times at which the two are compared.
SAMPLE_S: Final = 0.05
#: Further apart than this, the two have parted.
PARTED_RAD: Final = math.radians(20.0)
WINDOW_S: Final = 1.0
#: Less motion than this in a window says nothing about the model.
_LEAST_MOTION_RAD: Final = 0.1
#: More changes of command than any session has; bounds the time that a replay takes.
_MOST_CHANGES: Final = 20_000


@dataclass(frozen=True)
class Residual:
    """The comparison. Columns have equal length; angles 0 upright, not wrapped.

    rmse_rad: over the time before they part. parted_s: None if they never do. window_rmse_rad: over windows of one
    second in which the arm moved, None if it didn't.
    """

    times_s: Series
    measured_rad: Series
    twin_rad: Series
    rmse_rad: float
    parted_s: float | None
    window_rmse_rad: float | None

    def figures(self) -> dict[str, float]:
        """The numbers that exist, for a report."""
        given = {"rmse_rad": self.rmse_rad, "parted_s": self.parted_s, "window_rmse_rad": self.window_rmse_rad}
        return {name: value for name, value in given.items() if value is not None}


def compare(
    robot: Robot, t_s: Series, counts: npt.NDArray[np.int64], velocity_rad_s: Series, commands: Series
) -> Residual | None:
    """The twin of `robot` under a session's ticks (columns of equal length); None where there is too little to compare."""
    if len(t_s) < 2:
        return None
    order = np.concatenate([[True], t_s[1:] > np.maximum.accumulate(t_s)[:-1]])  # torn or repeated ticks are left out
    t_s, counts, velocity_rad_s, commands = t_s[order], counts[order], velocity_rad_s[order], commands[order]
    angles: Series = (KINDS[robot.kind].home_rad + counts * robot.encoder.rad_per_count).astype(np.float64)
    if t_s[-1] - t_s[0] < 2 * SAMPLE_S:
        return None
    at = np.searchsorted(t_s, np.arange(t_s[0], t_s[-1], SAMPLE_S)).astype(int)
    changes = np.flatnonzero(np.diff(commands)) + 1
    if len(changes) > _MOST_CHANGES:
        return None
    stops = np.union1d(at, changes)
    starts = {int(at[0])}
    twin = _run(robot, t_s, angles, velocity_rad_s, commands, stops, starts)[np.searchsorted(stops, at)]
    parted_s, together = _parted(t_s[at], twin - angles[at])
    return Residual(
        times_s=t_s[at],
        measured_rad=angles[at],
        twin_rad=twin,
        rmse_rad=_rms(twin[:together] - angles[at][:together]),
        parted_s=parted_s,
        window_rmse_rad=_windowed(robot, t_s, angles, velocity_rad_s, commands, at, stops),
    )


def _run(
    robot: Robot,
    t_s: Series,
    angles: Series,
    velocity_rad_s: Series,
    commands: Series,
    stops: npt.NDArray[np.int64],
    starts: set[int],
) -> Series:
    """The twin's angle at each stop (an index into the ticks); at `starts` it takes the measured state first."""
    twin = KINDS[robot.kind].motion(robot.model)
    found = np.empty(len(stops))
    state, now_s = State(float(angles[stops[0]]), float(velocity_rad_s[stops[0]])), float(t_s[stops[0]])
    acting = float(commands[stops[0]])
    for place, stop in enumerate(stops.tolist()):
        then_s = float(t_s[stop])
        state = twin.advance(state, acting, then_s - now_s)
        found[place] = state.angle_rad
        if stop in starts:
            state = State(float(angles[stop]), float(velocity_rad_s[stop]))
        now_s, acting = then_s, float(commands[stop])
    return found


def _windowed(
    robot: Robot,
    t_s: Series,
    angles: Series,
    velocity_rad_s: Series,
    commands: Series,
    at: npt.NDArray[np.int64],
    stops: npt.NDArray[np.int64],
) -> float | None:
    every = round(WINDOW_S / SAMPLE_S)
    twin = _run(robot, t_s, angles, velocity_rad_s, commands, stops, set(at[::every].tolist()))
    error = twin[np.searchsorted(stops, at)] - angles[at]
    moved = [window for window in _windows(len(at), every) if np.ptp(angles[at[window]]) > _LEAST_MOTION_RAD]
    return _rms(np.concatenate([error[window] for window in moved])) if moved else None


def _windows(samples: int, every: int) -> Iterator[slice]:
    """The samples after each start, up to and with the next one (where the error is largest)."""
    for begin in range(0, samples - every, every):
        yield slice(begin + 1, begin + every + 1)


def _parted(times_s: Series, error: Series) -> tuple[float | None, int]:
    """When the two are apart for the first time, and how many samples came before."""
    apart = np.flatnonzero(np.abs(error) > PARTED_RAD)
    return (float(times_s[apart[0]]), max(int(apart[0]), 1)) if len(apart) else (None, len(times_s))


def _rms(error: Series) -> float:
    return float(np.sqrt(np.mean(np.square(error))))
