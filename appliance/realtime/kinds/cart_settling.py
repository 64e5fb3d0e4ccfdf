"""How does the cart come to its mark, is it sound, and where is its middle? Slowly to both ends, then half the way back.

An encoder without an index doesn't know where the rail is, so the ends tell. On the way there the encoder must follow the motor
in both directions and count as much belt as the robot's file says: that is the self-test. A job's reset trusts all this and
only drives to the mark.
"""

from __future__ import annotations

import enum
import math
from typing import Final

from appliance.realtime.kinds.handling import Settled
from appliance.realtime.telemetry import Fault
from gym_raas.actuator import Actuator
from gym_raas.kinds.cart import PARKED_M
from gym_raas.kinds.cart_motion import M_PER_RAD, CartModel
from gym_raas.parameters import Robot

#: No count for so long is standstill; while it is driven, an end. Less than what the judge of stalls waits.
_QUIET_US: Final = 300_000
_SEEK_RAD_S: Final = 8.0
#: Speed on the way to the mark, per distance from it, and how near is there: 3 mm.
_APPROACH_PER_S: Final = 4.0
_NEAR_RAD: Final = 0.15
#: Acceleration per difference from the wanted speed.
_CORRECTION_PER_S: Final = 2.0
#: So far against the motor is no noise.
_AGAINST_RAD: Final = 0.2
#: A way between the ends that is shorter than this share of the file's is none; one within the tolerance is right.
_NO_WAY: Final = 0.05
_TOLERANCE: Final = 0.05


class _Phase(enum.Enum):
    BRAKE = enum.auto()
    UP = enum.auto()
    DOWN = enum.auto()
    MARK = enum.auto()


class CartSettling:
    """A `appliance.realtime.kinds.handling.Settling`; the arguments are those of its `Settle`."""

    def __init__(
        self, robot: Robot, now_us: int, timeout_s: float, zero_counts: float | None, *,
        test: bool, still_since_us: int | None = None,
    ) -> None:  # fmt: skip
        self._model: CartModel = robot.model
        self._actuator = Actuator(robot)
        self._rad_per_count = robot.encoder.rad_per_count
        self._zero_counts = zero_counts
        self._test = test or zero_counts is None
        self._began_us = now_us
        self._rested_us: int | None = None
        self._since_us = self._moved_us = now_us if still_since_us is None else still_since_us
        self._deadline_us = now_us + round(timeout_s * 1e6)
        self._phase = _Phase.BRAKE
        self._counts: int | None = None
        self._from = self._top = 0
        self.done: Settled | None = None

    def action(self, now_us: int, counts: int, velocity_rad_s: float) -> float | None:
        """The action of this tick, None for off."""
        if counts != self._counts:
            if self._counts is not None:
                self._moved_us = now_us
            self._counts = counts
        if self.done is None and now_us >= self._deadline_us:
            self._end(now_us, Fault.NEVER_SETTLES)
        if self.done is not None:
            return None
        quiet = now_us - max(self._moved_us, self._since_us) >= _QUIET_US
        if self._phase is _Phase.BRAKE:
            return self._rested(now_us, counts) if quiet else 0.0
        if self._phase is _Phase.MARK:
            return self._to_mark(now_us, counts, velocity_rad_s, quiet=quiet)
        return self._to_end(now_us, counts, velocity_rad_s, quiet=quiet)

    def _rested(self, now_us: int, counts: int) -> float:
        self._rested_us = now_us
        self._enter(_Phase.UP if self._test else _Phase.MARK, now_us, counts)
        return 0.0

    def _to_end(self, now_us: int, counts: int, velocity_rad_s: float, *, quiet: bool) -> float | None:
        side = 1 if self._phase is _Phase.UP else -1
        if (counts - self._from) * side * self._rad_per_count < -_AGAINST_RAD:
            self._end(now_us, Fault.DIRECTION)
            return None
        if not quiet:
            return self._driven(side * _SEEK_RAD_S, velocity_rad_s)
        if self._phase is _Phase.UP:
            self._top = counts
            self._enter(_Phase.DOWN, now_us, counts)
        else:
            self._measure(now_us, counts)
        return 0.0

    def _measure(self, now_us: int, bottom: int) -> None:
        """Both ends are known."""
        share = (self._top - bottom) * self._rad_per_count * M_PER_RAD / (2.0 * self._model.half_travel_m)
        if share < _NO_WAY:
            self._end(now_us, Fault.STALL)
        elif abs(share - 1.0) > _TOLERANCE:
            self._end(now_us, Fault.FRICTION)
        else:
            self._zero_counts = 0.5 * (self._top + bottom) + PARKED_M / M_PER_RAD / self._rad_per_count
            self._enter(_Phase.MARK, now_us, bottom)

    def _to_mark(self, now_us: int, counts: int, velocity_rad_s: float, *, quiet: bool) -> float | None:
        assert self._zero_counts is not None
        left_rad = (self._zero_counts - counts) * self._rad_per_count
        near = abs(left_rad) <= _NEAR_RAD
        if quiet:
            self._end(now_us, Fault.NONE if near else Fault.STALL)
            return None
        if near:
            return 0.0
        return self._driven(max(-_SEEK_RAD_S, min(_SEEK_RAD_S, _APPROACH_PER_S * left_rad)), velocity_rad_s)

    def _driven(self, wanted_rad_s: float, velocity_rad_s: float) -> float:
        """The action that keeps a speed, against friction and damping."""
        model = self._model
        against = model.coulomb_rad_s2 + (model.viscous_per_s + 0.5 * model.back_emf_per_s) * abs(wanted_rad_s)
        push = math.copysign(against, wanted_rad_s) + _CORRECTION_PER_S * (wanted_rad_s - velocity_rad_s)
        command = abs(push) / model.gain_rad_s2_per_command + model.dead_zone_command
        return math.copysign(self._actuator.action_for(command), push)

    def _enter(self, phase: _Phase, now_us: int, counts: int) -> None:
        self._phase, self._since_us, self._from = phase, now_us, counts

    def _end(self, now_us: int, fault: Fault) -> None:
        rested_us = now_us if self._rested_us is None or not self._test else self._rested_us
        self.done = Settled(
            fault, (rested_us - self._began_us) * 1e-6, self._zero_counts or 0.0, (now_us - rested_us) * 1e-6
        )
