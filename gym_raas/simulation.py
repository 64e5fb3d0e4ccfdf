"""How does a simulated robot step? Its kind's motion behind the actuator's clipping, rounding and speed limit.

It runs as fast as it can: time passes by steps, never by the clock.
"""

from __future__ import annotations

from gym_raas.actuator import Actuator
from gym_raas.kinds.known import KINDS
from gym_raas.parameters import Robot
from gym_raas.physics import State
from gym_raas.plant import Reading
from gym_raas.wire import Flag, ResetMode

_CLAMPED = int(Flag.CLAMPED_ACTION)
_SETTLED = int(Flag.SETTLED)


class SimulatedPlant:
    """A `gym_raas.plant.Plant` made of numbers; it can be copied and pickled."""

    can_be_placed = True

    def __init__(self, robot: Robot) -> None:
        self.robot = robot
        self.kind = kind = KINDS[robot.kind]
        self.dt_s = kind.task.dt_s
        self.action_limit = robot.limits.action
        self._bridge_command = Actuator(robot).bridge_command
        self._move = kind.limited(robot.model, robot.limits.speed_rad_s).step
        self._state: tuple[float, float] = kind.home
        self._k = 0
        self._reading = self._at_rest(0)

    def step(self, action: float) -> Reading:
        """One step of `dt_s`."""
        _, command, clamped = self._bridge_command(action)
        angle, velocity, limited = self._move(self._state, command, self.dt_s)
        self._state = angle, velocity
        self._k += 1
        flags = _CLAMPED | limited if clamped else limited
        self._reading = reading = Reading(angle, velocity, self._k, 0, 0.0, self.dt_s, 0.0, command, flags)
        return reading

    def read(self) -> Reading:
        """The state as it is."""
        return self._reading

    def reset(self, mode: ResetMode, start: State | None = None) -> Reading:
        """Start anew at `start`, by default where the robot rests; takes no time."""
        self._state = self.kind.home if start is None else start
        self._k = 0
        self._reading = self._at_rest(_SETTLED if mode is ResetMode.SETTLE else 0)
        return self._reading

    def close(self) -> None:
        """Nothing to let go of."""

    def _at_rest(self, flags: int) -> Reading:
        angle, velocity = self._state
        return Reading(angle, velocity, 0, 0, 0.0, 0.0, 0.0, 0.0, flags)
