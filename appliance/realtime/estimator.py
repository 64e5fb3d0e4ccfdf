"""How is the shaft moving? Angle and velocity from encoder edges and their times.

The velocity comes from the times of the newest edges, not from counts per tick: at 480 counts a turn one count in 1 ms
would be 13 rad/s. Between edges it is bounded by what the silence allows: an arm that was faster than one count
in the time since the last edge would have made another.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from typing import Final, NamedTuple

from appliance.realtime.encoder import Edge

#: Edges in one cycle of the two channels; a difference over a whole cycle cancels errors of phase and duty cycle.
_CYCLE_EDGES: Final = 4
_LONGEST_SPAN_US: Final = 10_000
#: pigpiod collects reports for about 1 ms; an edge younger than this may still be on its way.
_REPORT_DELAY_US: Final = 3_000
_STANDSTILL_US: Final = 250_000


class Motion(NamedTuple):
    """What is known at one moment: counts from home, angle (not wrapped; what it means, the kind says), velocity."""

    counts: int
    angle_rad: float
    velocity_rad_s: float


class Velocity:
    """Angular velocity from edges."""

    def __init__(self, rad_per_count: float) -> None:
        self._rad_per_count = rad_per_count
        self._edges: deque[Edge] = deque(maxlen=_CYCLE_EDGES + 1)

    def update(self, edges: Iterable[Edge], now_tick_us: int) -> float:
        """Velocity in rad/s at `now_tick_us` of the robot's clock, after the new `edges`."""
        history = self._edges
        for edge in edges:
            if len(history) > 1 and (edge.counts - history[-1].counts) * (history[-1].counts - history[-2].counts) < 0:
                history.clear()  # a reversal: nothing before it says how fast the arm is now
            history.append(edge)
        if len(history) < 2:
            return 0.0
        last = history[-1]
        first = self._oldest_within(last.tick_us - _LONGEST_SPAN_US)
        turned = last.counts - first.counts
        span_us = max(1, last.tick_us - first.tick_us)
        silent_us = now_tick_us - last.tick_us - _REPORT_DELAY_US
        if silent_us > _STANDSTILL_US:
            return 0.0
        if silent_us * abs(turned) > span_us:
            turned, span_us = (1 if turned > 0 else -1), silent_us
        return 1e6 * turned * self._rad_per_count / span_us

    def _oldest_within(self, tick_us: int) -> Edge:
        for edge in self._edges:
            if edge.tick_us >= tick_us:
                break
        # Slower than one edge in the longest span: the last interval is all there is.
        return self._edges[-2] if edge is self._edges[-1] else edge

    def forget(self) -> None:
        """The edges were interrupted."""
        self._edges.clear()


class Estimator:
    """Angle and velocity of the shaft; `home_rad` is the angle at home (`gym_raas.kinds.kind.Kind`).

    zero_counts: at home; a fraction, because friction hides the centre. is_zero_known: it was found by settling, and no
    edge has been lost since.
    """

    def __init__(self, counts_per_turn: int, home_rad: float) -> None:
        self._home_rad = home_rad
        self._rad_per_count = 2.0 * math.pi / counts_per_turn
        self._velocity = Velocity(self._rad_per_count)
        self.zero_counts = 0.0
        self.is_zero_known = False

    def update(self, counts: int, edges: Iterable[Edge], now_tick_us: int) -> Motion:
        """The motion at `now_tick_us` of the robot's clock."""
        return self.motion(counts, self._velocity.update(edges, now_tick_us))

    def motion(self, counts: int, velocity_rad_s: float) -> Motion:
        """The motion at the encoder's own `counts` with the present zero."""
        from_home = counts - self.zero_counts
        return Motion(round(from_home), self._home_rad + from_home * self._rad_per_count, velocity_rad_s)

    def forget_edges(self) -> None:
        """Edges were lost: start the velocity anew, and no longer trust the zero."""
        self._velocity.forget()
        self.is_zero_known = False
