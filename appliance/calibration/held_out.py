"""How well does a fit predict what it hasn't seen? Each part of the recordings in turn is left out, predicted, scored.

A long run is cut into two parts, a short one is left out as a whole. The start of a part is fitted, as in scoring.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.calibration import fitting, scoring
from appliance.calibration.recordings import MIN_SAMPLES, Run
from gym_raas.model import Model

#: No more fits than this; more runs are left out in groups.
_MOST_FITS = 5


@dataclass(frozen=True)
class HeldOut:
    """A part's error under the fit to all other parts, and under the present model."""

    name: str
    rmse_rad: float
    present_rad: float


def judge(present: Model, runs: Sequence[Run], begin: Model) -> list[HeldOut]:
    """The error of each part under a fit to the others; empty if there is only one part.

    `begin`, the fit to all, is where the searches start, which only saves time.
    """
    parts = [part for run in runs for part in _parts(run, alone=_alone(run, runs))]
    if len(parts) < 2:
        return []
    groups = min(_MOST_FITS, len(parts))
    found = []
    for group in range(groups):
        rest = [part for index, part in enumerate(parts) if index % groups != group]
        fit = fitting.fit(present, rest, begin)
        for part in parts[group::groups]:
            known = (fit.zero_rad if part.from_hanging else None, fit.delay_s or 0.0)
            error, before = (scoring.score_run(each, part, 0, *known).rmse_rad for each in (fit.model, present))
            found.append(HeldOut(part.name, error, before))
    return found


def _alone(run: Run, runs: Sequence[Run]) -> bool:
    """Whether no other run is of this kind, so that leaving it out whole would leave nothing to fit."""
    kind = (run.sideways, run.powered)
    return sum((each.sideways, each.powered) == kind for each in runs) == 1


def _parts(run: Run, *, alone: bool) -> list[Run]:
    middle = len(run.times_s) // 2
    if not alone or middle < 2 * MIN_SAMPLES:
        return [run]
    return [_cut(run, slice(0, middle), "first half"), _cut(run, slice(middle, None), "second half")]


def _cut(run: Run, part: slice, name: str) -> Run:
    return dataclasses.replace(
        run,
        name=f"{run.name}, {name}",
        times_s=run.times_s[part],
        angles_rad=run.angles_rad[part],
        commands=run.commands[part],
    )
