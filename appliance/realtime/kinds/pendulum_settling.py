"""How does the arm come to rest, is the robot sound, and where is its zero? Active braking, then a nudge and its swing.

The nudge shows that the motor moves the arm and that the encoder counts the right way. The swing after it tells zero and
friction (`appliance.realtime.kinds.swing`). Together they are the self-test.
"""

from __future__ import annotations

import enum
import math
from typing import Final

from appliance.realtime.kinds.handling import Settled
from appliance.realtime.kinds.swing import Swing
from appliance.realtime.telemetry import Fault
from gym_raas.actuator import Actuator
from gym_raas.model import Model
from gym_raas.parameters import Robot

_QUIET_US: Final = 300_000
#: Below this the bridge's own brake and friction do better than a drive with a dead zone.
_PASSIVE_RAD_S: Final = 0.2
#: Opposing acceleration per velocity. More would make the arm creep down from where it stopped, less let it swing on: the
#: least time until it hangs, averaged over starts from 2 to 18 rad/s on the model, lies here.
_BRAKE_PER_S: Final = 6.0
#: Whoever isn't at rest by then is braked by the bridge alone: an active brake with wrong wires or wrong numbers may never end.
_ACTIVE_US: Final = 6_000_000
_KICK_RAD: Final = 0.105
#: Less than what the judge of stalls waits: what a self-test finds is tried again, not latched at once.
_KICK_LIMIT_US: Final = 400_000
_LARGEST_SWING_RAD: Final = 1.0
_MOST_KICKS: Final = 5
#: An arm that turns on for so long, so fast, against a brake that stops any other within a second, is driven on by it.
_RUNAWAY_RAD_S: Final = 3.0
_RUNAWAY_US: Final = 2_000_000


class _Phase(enum.Enum):
    BRAKE = enum.auto()
    KICK = enum.auto()
    SWING = enum.auto()


class PendulumSettling:
    """A `appliance.realtime.kinds.handling.Settling`; the arguments are those of its `Settle`.

    Without a test the nudge and its swing are made only when the arm rests where it can't hang.
    """

    def __init__(
        self, robot: Robot, now_us: int, timeout_s: float, zero_counts: float | None, *,
        test: bool, still_since_us: int | None = None,
    ) -> None:  # fmt: skip
        self._model: Model = robot.model
        self._actuator = Actuator(robot)
        self._limit = robot.limits.action
        self._rad_per_count = robot.encoder.rad_per_count
        self._counts_per_turn = robot.encoder.counts_per_turn
        self._swing = Swing(robot)
        self._zero_counts = zero_counts
        self._test = test or zero_counts is None
        self._began_us = now_us
        self._rested_us: int | None = None
        self._phase_us = self._moved_us = now_us if still_since_us is None else still_since_us
        self._deadline_us = now_us + round(timeout_s * 1e6)
        self._phase = _Phase.BRAKE
        self._counts: int | None = None
        self._rest = 0
        self._kicks = 0
        self._side = 1
        self._sticks = False
        self._turning = 0.0
        self._turning_since_us = now_us
        self.done: Settled | None = None

    def action(self, now_us: int, counts: int, velocity_rad_s: float) -> float | None:
        """The action of this tick, None for off; `counts` are the encoder's own, not from hanging."""
        if counts != self._counts:
            if self._counts is not None:
                self._moved_us = now_us
            self._counts = counts
        if self.done is None and now_us >= self._deadline_us:
            self._end(now_us, Fault.NEVER_SETTLES)
        if self.done is not None:
            return None
        quiet = now_us - max(self._moved_us, self._phase_us) >= _QUIET_US
        if self._phase is _Phase.BRAKE:
            return self._rested(now_us, counts) if quiet else self._brake(now_us, velocity_rad_s)
        if self._phase is _Phase.KICK:
            return self._kick(now_us, counts)
        return self._let_swing(now_us, counts, quiet=quiet)

    def _brake(self, now_us: int, velocity_rad_s: float) -> float | None:
        turning = math.copysign(1.0, velocity_rad_s) if abs(velocity_rad_s) > _RUNAWAY_RAD_S else 0.0
        if not turning or turning != self._turning:
            self._turning, self._turning_since_us = turning, now_us
        elif now_us - self._turning_since_us > _RUNAWAY_US:
            self._end(now_us, Fault.DIRECTION)
            return None
        if abs(velocity_rad_s) < _PASSIVE_RAD_S or now_us - self._began_us > _ACTIVE_US:
            return 0.0
        model = self._model
        opposing = _BRAKE_PER_S * abs(velocity_rad_s) / model.gain_rad_s2_per_command + model.dead_zone_command
        return math.copysign(self._actuator.action_for(opposing), -velocity_rad_s)

    def _rested(self, now_us: int, counts: int) -> float | None:
        """It hangs still, or seems to: nudge it, unless nothing is to be tested and the zero agrees."""
        nearest = self._nearest_zero(counts)
        if not self._test and abs(counts - nearest) <= self._swing.stick_counts + 2.0:
            self._zero_counts = nearest
            self._end(now_us, Fault.NONE)
            return None
        if self._rested_us is None:
            self._rested_us = now_us
        return self._nudge(now_us, counts, 1)

    def _nudge(self, now_us: int, counts: int, side: int) -> float | None:
        if self._kicks == _MOST_KICKS:
            self._end(now_us, Fault.FRICTION if self._sticks else Fault.NEVER_SETTLES)
            return None
        self._kicks += 1
        self._rest, self._side = counts, side
        self._enter(_Phase.KICK, now_us)
        return side * self._limit

    def _kick(self, now_us: int, counts: int) -> float | None:
        moved_rad = (counts - self._rest) * self._side * self._rad_per_count
        if moved_rad >= _KICK_RAD:
            self._swing.begin(self._side, counts)
            self._enter(_Phase.SWING, now_us)
            return 0.0
        if moved_rad <= -_KICK_RAD:
            self._end(now_us, Fault.DIRECTION)
            return None
        if now_us - self._phase_us > _KICK_LIMIT_US:
            self._end(now_us, Fault.STALL)
            return None
        return self._side * self._limit

    def _let_swing(self, now_us: int, counts: int, *, quiet: bool) -> float | None:
        """Note turning points until it hangs still again; where one side doesn't tell, the other one does."""
        if abs(counts - self._rest) * self._rad_per_count > _LARGEST_SWING_RAD:  # it had stood on its head
            self._sticks = False
            self._begin_anew(now_us)
            return self._brake(now_us, 0.0)
        self._swing.see(counts)
        if not quiet:
            return 0.0
        self._sticks = True
        if not self._swing.has_returned:
            self._begin_anew(now_us)
            return 0.0
        if not self._swing.is_told:
            return self._nudge(now_us, counts, -self._side)
        self._zero_counts = self._swing.centre_counts
        self._end(now_us, Fault.NONE if self._swing.is_friction_sane else Fault.FRICTION)
        return None

    def _begin_anew(self, now_us: int) -> None:
        self._rested_us = None
        self._swing.forget()
        self._enter(_Phase.BRAKE, now_us)

    def _nearest_zero(self, counts: int) -> float:
        """The zero, moved by whole turns to where the arm is."""
        zero = self._zero_counts or 0.0
        return zero + round((counts - zero) / self._counts_per_turn) * self._counts_per_turn

    def _enter(self, phase: _Phase, now_us: int) -> None:
        self._phase, self._phase_us = phase, now_us

    def _end(self, now_us: int, fault: Fault) -> None:
        rested_us = now_us if self._rested_us is None else self._rested_us
        friction = self._swing.friction_rad_s2 if self._swing.is_told else None
        self.done = Settled(
            fault, (rested_us - self._began_us) * 1e-6, self._zero_counts or 0.0, (now_us - rested_us) * 1e-6, friction
        )
