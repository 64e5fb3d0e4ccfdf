"""Where is the arm, in counts? Decoding of the two quadrature channels, edge by edge."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

_LOST: Final = 2
# Index: old state * 4 + new state, a state being A * 2 + B. Forward is A before B: 00, 10, 11, 01.
_STEP: Final = (0, -1, 1, _LOST, 1, 0, _LOST, -1, -1, _LOST, 0, 1, _LOST, 1, -1, 0)


class Report(NamedTuple):
    """Levels of GPIO 0-31 as they were at `tick_us` of the robot's clock (unwrapped)."""

    tick_us: int
    levels: int


class Edge(NamedTuple):
    """The count that an edge led to, and when, on the robot's clock."""

    tick_us: int
    counts: int


class Encoder:
    """Counts since the process began; forward is positive. It never forgets a count, whatever the session.

    illegal: transitions in which both channels changed at once, so that an edge (and its direction) was lost.
    """

    def __init__(self, pin_a: int, pin_b: int) -> None:
        self._pin_a = pin_a
        self._pin_b = pin_b
        self._state: int | None = None
        self.counts = 0
        self.illegal = 0

    def decode(self, reports: Iterable[Report]) -> list[Edge]:
        """Count the edges in `reports`, oldest first. The first report of all only says where the channels stand."""
        edges: list[Edge] = []
        old, pin_a, pin_b = self._state, self._pin_a, self._pin_b
        for tick_us, levels in reports:
            new = (levels >> pin_a & 1) << 1 | levels >> pin_b & 1
            step = 0 if old is None else _STEP[old << 2 | new]
            old = new
            if step == _LOST:
                self.illegal += 1
            elif step:
                self.counts += step
                edges.append(Edge(tick_us, self.counts))
        self._state = old
        return edges

    def forget_levels(self) -> None:
        """The reports were interrupted: the next one is a new start, the counts stay."""
        self._state = None
