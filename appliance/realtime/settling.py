"""How does the arm come to rest, and where is its zero? Active braking, then a small swing whose turning points tell.

Friction holds the arm anywhere within about 2.6 degrees of hanging, so where it rests is no zero. A swing tells more: with
Coulomb friction and damping each turning point follows from the one before, x' = e - r (x - e), where e is the centre
shifted by the friction, to the one side or to the other. Two half swings in a row cancel the friction:

    centre = (r x1 + (1 + r) x2 + x3) / (2 (1 + r)),   r = exp(-pi b / sqrt(4 w2 - b^2))

Source: the equation of motion of `gym_raas.physics`, linearised about hanging.
"""

from __future__ import annotations

import enum
import math
from typing import Final, NamedTuple

from appliance.realtime.telemetry import Fault
from gym_raas.actuator import Actuator
from gym_raas.parameters import Robot

_QUIET_US: Final = 300_000
#: Below this the bridge's own brake and friction do better than a drive with a dead zone.
_PASSIVE_RAD_S: Final = 0.2
#: Opposing acceleration per velocity. More would make the arm creep down from where it stopped, less let it swing on: the
#: least time until it hangs, averaged over starts from 2 to 18 rad/s on the model, lies here.
_BRAKE_PER_S: Final = 6.0
_KICK_RAD: Final = 0.105
_KICK_LIMIT_US: Final = 600_000
_LARGEST_SWING_RAD: Final = 1.0
#: A turning point counts when the arm has come back this far.
_RETURN_COUNTS: Final = 2
_MOST_KICKS: Final = 5


class Settled(NamedTuple):
    """How it ended: `fault` is NONE when the arm hangs still; `zero_counts` is where it hangs."""

    fault: Fault
    duration_s: float
    zero_counts: float


class _Phase(enum.Enum):
    BRAKE = enum.auto()
    KICK = enum.auto()
    SWING = enum.auto()


class Settling:
    """One settling. Ask `action()` every tick until `done` is there.

    zero_counts: the zero so far. find_zero: measure it anew by a small swing; without that the swing is made only when
    the arm rests where it can't hang.
    """

    def __init__(self, robot: Robot, now_us: int, timeout_s: float, zero_counts: float, *, find_zero: bool) -> None:
        model = robot.model
        self._model = model
        self._actuator = Actuator(robot)
        self._limit = robot.limits.action
        self._rad_per_count = robot.encoder.rad_per_count
        self._counts_per_turn = robot.encoder.counts_per_turn
        damping = model.viscous_per_s + model.brake_per_s
        self._ratio = math.exp(-math.pi * damping / math.sqrt(max(4.0 * model.gravity_rad_s2 - damping**2, 1e-6)))
        self._stick_counts = model.coulomb_rad_s2 / model.gravity_rad_s2 / self._rad_per_count
        self._zero_counts = zero_counts
        self._find_zero = find_zero
        self._began_us = self._phase_us = self._moved_us = now_us
        self._deadline_us = now_us + round(timeout_s * 1e6)
        self._phase = _Phase.BRAKE
        self._counts = 0
        self._rest = 0
        self._kicks = 0
        self._turns: list[int] = []
        self.done: Settled | None = None

    def action(self, now_us: int, counts: int, velocity_rad_s: float) -> float | None:
        """The action of this tick, None for off; `counts` are the encoder's own, not from hanging."""
        if counts != self._counts:
            self._counts, self._moved_us = counts, now_us
        if self.done is None and now_us >= self._deadline_us:
            self._end(now_us, Fault.NEVER_SETTLES)
        if self.done is not None:
            return None
        quiet = now_us - max(self._moved_us, self._phase_us) >= _QUIET_US
        if self._phase is _Phase.BRAKE:
            return self._rested(now_us, counts) if quiet else self._brake(velocity_rad_s)
        if self._phase is _Phase.KICK:
            return self._kick(now_us, counts)
        return self._swing(now_us, counts, quiet=quiet)

    def _brake(self, velocity_rad_s: float) -> float | None:
        if abs(velocity_rad_s) < _PASSIVE_RAD_S:
            return 0.0
        model = self._model
        opposing = _BRAKE_PER_S * abs(velocity_rad_s) / model.gain_rad_s2_per_command + model.dead_zone_command
        return math.copysign(self._actuator.action_for(opposing), -velocity_rad_s)

    def _rested(self, now_us: int, counts: int) -> float | None:
        """It hangs still, or seems to: nudge it, unless the zero is known and agrees."""
        off_counts = counts - self._nearest_zero(counts)
        if not self._find_zero and abs(off_counts) <= self._stick_counts + 2.0:
            self._zero_counts = self._nearest_zero(counts)
            self._end(now_us, Fault.NONE)
            return None
        if self._kicks == _MOST_KICKS:
            self._end(now_us, Fault.NEVER_SETTLES)
            return None
        self._kicks += 1
        self._rest = counts
        self._enter(_Phase.KICK, now_us)
        return self._limit

    def _kick(self, now_us: int, counts: int) -> float | None:
        moved_rad = (counts - self._rest) * self._rad_per_count
        if moved_rad >= _KICK_RAD:
            self._turns = [counts]
            self._enter(_Phase.SWING, now_us)
            return 0.0
        if moved_rad <= -_KICK_RAD:
            self._end(now_us, Fault.DIRECTION)
            return None
        if now_us - self._phase_us > _KICK_LIMIT_US:
            self._end(now_us, Fault.STALL)
            return None
        return self._limit

    def _swing(self, now_us: int, counts: int, *, quiet: bool) -> float | None:
        """Note turning points: the last entry of `_turns` grows outwards until the arm comes back."""
        if abs(counts - self._rest) * self._rad_per_count > _LARGEST_SWING_RAD:  # it had stood on its head
            self._enter(_Phase.BRAKE, now_us)
            return self._brake(0.0)
        outwards = 1 if len(self._turns) % 2 else -1
        beyond = (counts - self._turns[-1]) * outwards
        if beyond > 0:
            self._turns[-1] = counts
        elif -beyond >= _RETURN_COUNTS:
            self._turns.append(counts)
        if not quiet:
            return 0.0
        if len(self._turns) < 2:
            self._enter(_Phase.BRAKE, now_us)
            return 0.0
        self._zero_counts = self._centre()
        self._end(now_us, Fault.NONE)
        return None

    def _centre(self) -> float:
        ratio = self._ratio
        if len(self._turns) == 2:  # it stuck after one half swing: take the friction from the model
            return (self._turns[1] + ratio * self._turns[0]) / (1.0 + ratio) - self._stick_counts
        first, second, third = self._turns[:3]
        return (ratio * first + (1.0 + ratio) * second + third) / (2.0 * (1.0 + ratio))

    def _nearest_zero(self, counts: int) -> float:
        """The zero, moved by whole turns to where the arm is."""
        turns = round((counts - self._zero_counts) / self._counts_per_turn)
        return self._zero_counts + turns * self._counts_per_turn

    def _enter(self, phase: _Phase, now_us: int) -> None:
        self._phase, self._phase_us = phase, now_us

    def _end(self, now_us: int, fault: Fault) -> None:
        self.done = Settled(fault, (now_us - self._began_us) * 1e-6, self._zero_counts)
