"""Does the robot age? The errors that its twin made in jobs, newest first, beside those of the jobs before.

Apart from `residual`, which computes them: the page asks for this all the time, and shall not load numpy for it.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Final, NamedTuple

#: Jobs whose error is compared with that of at least as many before them, and how much more is a drift.
NEWEST_JOBS: Final = 5
_DRIFT_FACTOR: Final = 2.0


class Drift(NamedTuple):
    """Medians of the twin's error in the newest jobs and in those before, rad; `drifts`: the robot has changed."""

    newest_rad: float
    before_rad: float

    @property
    def drifts(self) -> bool:
        """Whether the error has doubled."""
        return self.newest_rad > _DRIFT_FACTOR * self.before_rad


def drift(residuals: Sequence[float]) -> Drift | None:
    """How the window errors of jobs, newest first, have changed; None while there are too few."""
    newest, before = residuals[:NEWEST_JOBS], residuals[NEWEST_JOBS:]
    if len(before) < NEWEST_JOBS:
        return None
    return Drift(statistics.median(newest), statistics.median(before))
