"""Which model explains recordings best, how sure is that, and what can't they tell? A joint fit over all runs.

Unknown are the model's constants that the runs touch, the command's delay if commands change, and each run's start.
Every run weighs by its own noise. Weak priors around the present robot hold what the data don't tell; a constant whose
spread stays near its prior's is reported as not told. The covariance is a sandwich, because residuals of an open-loop
simulation are correlated in time, and the model errs as well. Of many runs, as an experiment on the robot gives, each is
one draw: what their pulls on the constants scatter is what the constants do. Of few runs, each counts only as many samples
as its residuals are independent; and where the recording loop's clock wandered, that error grows with the run and can
look like another gravity.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from appliance.calibration import least_squares, prediction
from appliance.calibration.prediction import START_SCALE, Start
from appliance.calibration.recordings import Run, Series
from gym_raas.model import Model

DELAY: Final = "delay_s"
#: Where the encoder reads hanging at rest, in runs that count from there but for what friction hides.
ZERO: Final = "zero_rad"
#: Spread of the prior around the present value: as a factor of it, and at least so much.
_PRIOR: Final = {
    "gravity_rad_s2": (0.5, 1.0),
    "viscous_per_s": (0.0, 1.0),
    "coulomb_rad_s2": (0.5, 2.0),
    "back_emf_per_s": (0.5, 2.0),
    "brake_per_s": (0.5, 2.0),
    "gain_rad_s2_per_command": (0.5, 1e-3),
    "dead_zone_command": (0.5, 100.0),
    DELAY: (0.0, 0.05),
    ZERO: (0.0, 0.05),
}
_PRESENT: Final = {DELAY: 0.002, ZERO: 0.0}
_LONGEST_DELAY_S: Final = 0.2
#: Factor of a standard deviation for 95 %.
NORMAL_95: Final = 1.96
#: A constant that keeps more of its prior's spread than this isn't told by the data.
_NOT_TOLD: Final = 0.5
#: Two constants that vary together more than this aren't told apart.
_ALIKE: Final = 0.95
#: Steps of the solver before the runs are weighed anew; the last time, until it is done.
_WEIGHING_ROUNDS: Final = (10, 5, least_squares.MOST_ROUNDS)
#: Samples over which a wandering clock shows beside the encoder's counts.
_CLOCK_SAMPLES: Final = 7
#: Where times are only nominal, a sleeping loop scatters by at least this share of its period.
_LEAST_JITTER: Final = 0.01
_FIRST_NOISE_RAD: Final = 0.01


@dataclass(frozen=True)
class Estimate:
    """One fitted constant; `told` says whether the data determine it at all (else it stays near the present value)."""

    name: str
    value: float
    sd: float
    low: float
    high: float
    told: bool


@dataclass(frozen=True)
class RunFit:
    """One run under the fit."""

    run: Run
    start: Start
    predicted_rad: Series
    rmse_rad: float


@dataclass(frozen=True)
class Fit:
    """The result. `alike`: pairs of constants that the data don't tell apart, with their correlation."""

    model: Model
    delay_s: float | None
    zero_rad: float | None
    estimates: tuple[Estimate, ...]
    correlation: Series
    alike: tuple[tuple[str, str, float], ...]
    runs: tuple[RunFit, ...]

    @property
    def rmse_rad(self) -> float:
        """Error over all samples of all runs."""
        return prediction.rmse_rad(np.concatenate([each.predicted_rad - each.run.angles_rad for each in self.runs]))


def touched(runs: Sequence[Run]) -> list[str]:
    """Names of the constants that act in these runs, in the model's order; delay and zero last."""
    driven = any(run.powered and np.any(run.commands != 0.0) for run in runs)
    acts = {
        "gravity_rad_s2": any(not run.sideways for run in runs),
        "viscous_per_s": True,
        "coulomb_rad_s2": True,
        "back_emf_per_s": driven,
        "brake_per_s": any(run.powered and np.any(run.commands[:-1] == 0.0) for run in runs),
        "gain_rad_s2_per_command": driven,
        "dead_zone_command": driven,
    }
    acts[DELAY] = any(prediction.steered(run) for run in runs)
    acts[ZERO] = any(run.from_hanging and not run.sideways for run in runs)
    return [name for name, does in acts.items() if does]


def fit(present: Model, runs: Sequence[Run], begin: Model | None = None) -> Fit:
    """The best model for `runs`; where the data say nothing, it stays at `present`.

    `begin` is where the search starts, by default at `present`; it only saves time.
    """
    problem = _Problem(present, runs)
    noise_rad = np.full(len(runs), _FIRST_NOISE_RAD)
    unknowns = problem.first_guess(begin or present)
    for rounds in _WEIGHING_ROUNDS:
        solution = problem.solve(unknowns, noise_rad, rounds)
        unknowns = solution.unknowns
        noise_rad = problem.noise_rad(unknowns)
    return problem.described(solution, noise_rad)


class _Problem:
    """The unknowns' layout: constants first, then each run's start."""

    def __init__(self, present: Model, runs: Sequence[Run]) -> None:
        self.present, self.runs = present, list(runs)
        self.names = touched(runs)
        self.middle = np.array([_PRESENT[n] if n in _PRESENT else getattr(present, n) for n in self.names])
        self.spread = np.array(
            [
                max(factor * value, least)
                for (factor, least), value in zip((_PRIOR[n] for n in self.names), self.middle, strict=True)
            ]
        )
        ends = np.cumsum([len(self.names)] + [prediction.start_count(run) for run in runs])
        self.places = [slice(a, b) for a, b in pairwise(ends.tolist())]
        self.count = int(ends[-1])
        self.scale = np.concatenate(
            [0.02 * self.spread] + [START_SCALE[: prediction.start_count(run)] for run in self.runs]
        )

    def first_guess(self, begin: Model) -> Series:
        constants = np.array([_PRESENT[n] if n in _PRESENT else getattr(begin, n) for n in self.names])
        starts = [prediction.fitted_start(begin, run) for run in self.runs]
        numbers = [np.array([s.angle_rad, s.velocity_rad_s, s.rest_rad]) for s in starts]
        cut = [n[: prediction.start_count(run)] for n, run in zip(numbers, self.runs, strict=True)]
        return np.concatenate([constants, *cut])

    def meant(self, unknowns: Series) -> tuple[Model, float, float]:
        values = dict(zip(self.names, unknowns[: len(self.names)].tolist(), strict=True))
        delay_s, zero_rad = values.pop(DELAY, 0.0), values.pop(ZERO, 0.0)
        return dataclasses.replace(self.present, **values), float(delay_s), float(zero_rad)

    def start(self, index: int, unknowns: Series) -> Start:
        return prediction.start_of(unknowns[self.places[index]], self.meant(unknowns)[2])

    def predicted(self, index: int, unknowns: Series) -> Series:
        model, delay_s, _ = self.meant(unknowns)
        return prediction.angles(model, self.runs[index], self.start(index, unknowns), delay_s)

    def noise_rad(self, unknowns: Series) -> Series:
        """Each run's noise, no smaller than what the encoder's counts make."""
        found = []
        for index, run in enumerate(self.runs):
            error = prediction.rmse_rad(self.predicted(index, unknowns) - run.angles_rad)
            found.append(max(error, _count_rad(run) / math.sqrt(12.0), 1e-9))
        return np.array(found)

    def bounds(self) -> tuple[Series, Series]:
        low, high = np.full(self.count, -np.inf), np.full(self.count, np.inf)
        limits = {each.name: each.metadata["range"] for each in dataclasses.fields(Model)}
        limits |= {DELAY: (0.0, _LONGEST_DELAY_S), ZERO: (-math.pi, math.pi)}
        for index, name in enumerate(self.names):
            low[index], high[index] = limits[name]
        return low, high

    def solve(self, unknowns: Series, noise_rad: Series, rounds: int) -> least_squares.Solution:
        def of_run(index: int, at: Series) -> Series:
            return np.asarray((self.predicted(index, at) - self.runs[index].angles_rad) / noise_rad[index])

        def prior(at: Series) -> Series:
            return np.asarray((at[: len(self.names)] - self.middle) / self.spread)

        def residual(at: Series) -> Series:
            return np.concatenate([of_run(index, at) for index in range(len(self.runs))] + [prior(at)])

        def jacobian(at: Series, value: Series) -> Series:
            slopes = np.zeros((len(value), self.count))
            row = 0
            for index, run in enumerate(self.runs):
                rows = slice(row, row := row + len(run.times_s))
                for column in (*range(len(self.names)), *range(self.places[index].start, self.places[index].stop)):
                    there = at.copy()
                    there[column] += least_squares.STEP * self.scale[column]
                    slopes[rows, column] = (of_run(index, there) - value[rows]) / (there[column] - at[column])
            for column, spread in enumerate(self.spread):
                slopes[row + column, column] = 1.0 / spread
            return slopes

        low, high = self.bounds()
        return least_squares.solve(residual, unknowns, self.scale, jacobian=jacobian, low=low, high=high, rounds=rounds)

    def described(self, solution: least_squares.Solution, noise_rad: Series) -> Fit:
        model, delay_s, zero_rad = self.meant(solution.unknowns)
        of_all = self._of_runs(solution) if self._spare_runs() else self._covariance(solution, noise_rad)
        covariance = of_all[: len(self.names), : len(self.names)]
        sd = np.sqrt(np.diag(covariance))
        correlation = covariance / np.outer(sd, sd)
        values = solution.unknowns[: len(self.names)]
        reach = self._factor_95() * sd
        ends = np.clip([values - reach, values + reach], *(end[: len(self.names)] for end in self.bounds()))
        estimates = tuple(
            Estimate(name, float(value), float(scatter), float(low), float(high), bool(scatter < _NOT_TOLD * spread))
            for name, value, scatter, low, high, spread in zip(self.names, values, sd, *ends, self.spread, strict=True)
        )
        return Fit(
            model,
            delay_s if DELAY in self.names else None,
            zero_rad if ZERO in self.names else None,
            estimates,
            correlation,
            _alike(self.names, correlation),
            tuple(self._run_fit(index, solution.unknowns) for index in range(len(self.runs))),
        )

    def _run_fit(self, index: int, unknowns: Series) -> RunFit:
        found = self.predicted(index, unknowns)
        return RunFit(
            self.runs[index],
            self.start(index, unknowns),
            found,
            prediction.rmse_rad(found - self.runs[index].angles_rad),
        )

    def _spare_runs(self) -> int:
        """How many more runs there are than constants; 0 if too few to judge by their scatter."""
        spare = len(self.runs) - len(self.names)
        return spare if spare >= len(self.names) else 0

    def _factor_95(self) -> float:
        """Factor of a standard deviation for 95 %; Student's where runs are counted (its series, two terms)."""
        spare = self._spare_runs()
        return NORMAL_95 + (NORMAL_95**3 + NORMAL_95) / (4.0 * spare) if spare else NORMAL_95

    def _of_runs(self, solution: least_squares.Solution) -> Series:
        """Inverse curvature, with what the runs' pulls on the unknowns scatter in between (clustered by run)."""
        scaled = solution.jacobian * self.scale
        noise, row = np.zeros((self.count, self.count)), 0
        for run in self.runs:
            rows = slice(row, row := row + len(run.times_s))
            pull = scaled[rows].T @ solution.residual[rows]
            noise += np.outer(pull, pull)
        prior = scaled[row:].T @ scaled[row:]
        inverse = np.linalg.pinv(scaled.T @ scaled, rcond=1e-14)
        noise *= len(self.runs) / self._spare_runs()
        return np.asarray(inverse @ (noise + prior) @ inverse * np.outer(self.scale, self.scale))

    def _covariance(self, solution: least_squares.Solution, noise_rad: Series) -> Series:
        """Inverse curvature, with what each run's noise, correlated as it is, makes of the slopes in between."""
        scaled = solution.jacobian * self.scale
        clock_s = self._clock_jitter_s(solution.unknowns)
        curvature, noise = np.zeros((self.count, self.count)), np.zeros((self.count, self.count))
        row = 0
        for index, run in enumerate(self.runs):
            rows = slice(row, row := row + len(run.times_s))
            share = scaled[rows].T @ scaled[rows]
            curvature += share
            noise += share * correlation_samples(solution.residual[rows])
            walk = clock_s / noise_rad[index] * self._velocity_rad_s(index, solution.unknowns)[:, None] * scaled[rows]
            later = np.cumsum(walk[::-1], axis=0)[::-1]
            noise += later.T @ later
        prior = scaled[row:].T @ scaled[row:]
        inverse = np.linalg.pinv(curvature + prior, rcond=1e-14)
        return np.asarray(inverse @ (noise + prior) @ inverse * np.outer(self.scale, self.scale))

    def _velocity_rad_s(self, index: int, unknowns: Series) -> Series:
        return np.asarray(np.gradient(self.predicted(index, unknowns), self.runs[index].times_s))

    def _clock_jitter_s(self, unknowns: Series) -> float:
        """How much the time between two samples scatters around what is noted, judged by the fast parts.

        A loop that sleeps notes nominal times; then its errors add up from sample to sample.
        """
        excess = speed = 0.0
        for index, run in enumerate(self.runs):
            predicted = self.predicted(index, unknowns)
            over_s = run.times_s[_CLOCK_SAMPLES:] - run.times_s[:-_CLOCK_SAMPLES]
            steps = predicted[_CLOCK_SAMPLES:] - predicted[:-_CLOCK_SAMPLES]
            missed = run.angles_rad[_CLOCK_SAMPLES:] - run.angles_rad[:-_CLOCK_SAMPLES] - steps
            excess += float(np.sum(np.square(missed) - _count_rad(run) ** 2 / 6.0))
            speed += _CLOCK_SAMPLES * float(np.sum(np.square(steps / over_s)))
        least_s = max((_LEAST_JITTER * _even_interval_s(run) for run in self.runs), default=0.0)
        return max(math.sqrt(max(excess, 0.0) / speed) if speed > 0.0 else 0.0, least_s)


def _even_interval_s(run: Run) -> float:
    """The time between samples if it is noted as always the same, which no clock's is; else 0."""
    steps_s = np.diff(run.times_s)
    usual_s = float(np.median(steps_s))
    return usual_s if bool(np.all(np.abs(steps_s - usual_s) < 1e-6)) else 0.0


def correlation_samples(residual: Series) -> float:
    """How many samples make one independent one: 1 + 2 * (autocorrelations up to the first negative one)."""
    centred = residual - np.mean(residual)
    power = float(centred @ centred)
    total = 1.0
    for lag in range(1, len(centred) // 4):
        share = float(centred[:-lag] @ centred[lag:]) / power if power > 0.0 else 0.0
        if share <= 0.0:
            break
        total += 2.0 * share
    return total


def _count_rad(run: Run) -> float:
    """The smallest step between two samples: one count, or less."""
    steps = np.abs(np.diff(run.angles_rad))
    moved = steps[steps > 1e-6]
    return float(np.min(moved)) if len(moved) else 0.0


def _alike(names: Sequence[str], correlation: Series) -> tuple[tuple[str, str, float], ...]:
    return tuple(
        (names[a], names[b], float(correlation[a, b]))
        for a in range(len(names))
        for b in range(a + 1, len(names))
        if abs(correlation[a, b]) > _ALIKE
    )
