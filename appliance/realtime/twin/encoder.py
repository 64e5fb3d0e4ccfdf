"""Where does the quadrature encoder change, and when? From a piece of the arm's motion to edges in time.

The count is the floor of the unwrapped angle over the angle of one count, so any number of counts per turn is right,
also one that four doesn't divide. Channel A leads B while the angle grows: (A, B) = 00, 10, 11, 01.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from gym_raas.physics import State

#: Halvings when an edge is located in a piece of at most a millisecond: 0.25 µs, well below the 5 µs of a sample.
_HALVINGS: Final = 12
#: (A, B) of a count modulo 4.
_CHANNELS: Final = ((0, 0), (1, 0), (1, 1), (0, 1))


class Edge(NamedTuple):
    """One channel changes `after_s` into the piece; `channel` is 0 for A, 1 for B."""

    after_s: float
    channel: int


class Quadrature:
    """The disc of an encoder. `phase` in [0, 1) is where within a count the angle 0 lies."""

    def __init__(self, counts_per_turn: int, phase: float = 0.0) -> None:
        self._counts_per_rad = counts_per_turn / (2.0 * math.pi)
        self._phase = phase

    def count(self, angle_rad: float) -> int:
        """The count at this angle; 0 is somewhere within one count of angle 0."""
        return math.floor(angle_rad * self._counts_per_rad + self._phase)

    def channels(self, angle_rad: float) -> tuple[int, int]:
        """Levels of A and B."""
        return _CHANNELS[self.count(angle_rad) & 3]

    def edges(self, start: State, end: State, duration_s: float) -> Iterator[Edge]:
        """Edges on the way from `start` to `end`, in order; the motion between is the cubic through both states."""
        steady = start.velocity_rad_s * end.velocity_rad_s > 0.0
        if steady and self.count(start.angle_rad) == self.count(end.angle_rad):
            return
        motion = _Cubic(start, end, duration_s)
        inner = [(at_s, self.count(motion.angle_rad(at_s))) for at_s in motion.reversals_s()]
        knots = [(0.0, self.count(start.angle_rad)), *inner, (duration_s, self.count(end.angle_rad))]
        for (begin_s, first), (end_s, last) in itertools.pairwise(knots):
            yield from self._monotone(motion, begin_s, end_s, first, last)

    def _monotone(self, motion: _Cubic, begin_s: float, end_s: float, first: int, last: int) -> Iterator[Edge]:
        rising = last > first
        # Boundary k lies between the counts k - 1 and k; the lower of them says which channel changes there.
        boundaries = range(first + 1, last + 1) if rising else range(first, last, -1)
        for boundary in boundaries:
            low_s, high_s = begin_s, end_s
            for _ in range(_HALVINGS):
                middle_s = 0.5 * (low_s + high_s)
                if (self.count(motion.angle_rad(middle_s)) >= boundary) == rising:
                    high_s = middle_s
                else:
                    low_s = middle_s
            yield Edge(high_s, (boundary - 1) & 1)


class _Cubic:
    """The cubic with the angles and velocities of both ends (Hermite)."""

    def __init__(self, start: State, end: State, duration_s: float) -> None:
        self._angle, self._velocity = start
        self._duration_s = duration_s
        mean = (end.angle_rad - start.angle_rad) / duration_s
        self._square = (3.0 * mean - 2.0 * start.velocity_rad_s - end.velocity_rad_s) / duration_s
        self._cube = (start.velocity_rad_s + end.velocity_rad_s - 2.0 * mean) / (duration_s * duration_s)

    def angle_rad(self, t_s: float) -> float:
        return self._angle + t_s * (self._velocity + t_s * (self._square + t_s * self._cube))

    def reversals_s(self) -> list[float]:
        """Inner roots of the velocity, in order."""
        a, b, c = 3.0 * self._cube, 2.0 * self._square, self._velocity
        if abs(a) * self._duration_s < 1e-9 * abs(b):
            roots = [-c / b] if b else []
        else:
            inner = b * b - 4.0 * a * c
            root = math.sqrt(inner) if inner > 0.0 else 0.0
            roots = sorted(((-b - root) / (2.0 * a), (-b + root) / (2.0 * a))) if root and a else []
        return [t_s for t_s in roots if 0.0 < t_s < self._duration_s]
