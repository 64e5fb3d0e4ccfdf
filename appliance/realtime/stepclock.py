"""When does a step end? The grid t0 + k * dt that the loop owns, and the boundary that ends an action's step.

t0 is the first action after a connect or a reset. An action's step ends at the first boundary that is at least
`min_hold_us` after it began to act. Boundaries that pass without ending a step are missed: they are counted, never made
up for, and never move the grid. Everything is in whole microseconds, so the grid can't drift.
"""

from __future__ import annotations

from typing import NamedTuple


class Boundary(NamedTuple):
    """The end of a step: its index on the grid, its exact time, and the boundaries missed directly before it."""

    k: int
    at_us: int
    missed: int


class StepClock:
    """The grid of one driver. `act()` when an action begins to act, `due()` every tick, `reset()` to forget the grid."""

    def __init__(self, dt_us: int, min_hold_us: int) -> None:
        """`min_hold_us` is at least 1: a boundary never ends an action that begins at that very moment."""
        if not 1 <= min_hold_us <= dt_us:
            raise ValueError(f"min_hold_us lies between 1 and {dt_us}, not {min_hold_us}")
        self._dt_us = dt_us
        self._min_hold_us = min_hold_us
        self._t0_us: int | None = None
        self._due: Boundary | None = None
        self.k = 0

    def act(self, now_us: int) -> Boundary:
        """An action begins to act; returns the boundary that will end its step."""
        if self._due is not None:
            raise ValueError("the action before this one hasn't met its boundary yet")
        if self._t0_us is None:
            self._t0_us, self.k = now_us, 0
        k = -((self._t0_us - now_us - self._min_hold_us) // self._dt_us)  # division that rounds up
        self._due = Boundary(k, self._t0_us + k * self._dt_us, k - self.k - 1)
        return self._due

    def due(self, now_us: int) -> Boundary | None:
        """The boundary that ends the running step, once its time has come; None before and between steps."""
        boundary = self._due
        if boundary is None or now_us < boundary.at_us:
            return None
        self._due, self.k = None, boundary.k
        return boundary

    def reset(self) -> None:
        """Forget grid and running step: the next action sets a new t0."""
        self._t0_us = self._due = None
        self.k = 0
