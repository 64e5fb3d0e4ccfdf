"""How does a simulated robot step where it is as imperfect as the real one? The simulation, measured and timed like it."""

from __future__ import annotations

import numpy as np

from gym_raas import imperfections
from gym_raas.actuator import Actuator
from gym_raas.imperfections import Imperfections
from gym_raas.kinds.kind import Mechanism
from gym_raas.kinds.known import KINDS
from gym_raas.parameters import Robot
from gym_raas.physics import State
from gym_raas.plant import Reading
from gym_raas.wire import Flag, ResetMode


class ImperfectPlant:
    """A `gym_raas.plant.Plant`; it can be copied and pickled. `rng` is the environment's, so seeds hold."""

    can_be_placed = True

    def __init__(self, robot: Robot, flaws: Imperfections, rng: np.random.Generator | None = None) -> None:
        self.robot, self.flaws = robot, flaws
        self.kind = KINDS[robot.kind]
        self.dt_s = self.kind.task.dt_s
        self.rng = np.random.default_rng() if rng is None else rng
        self.action_limit = robot.limits.action
        self._actuator = Actuator(robot)
        self._mechanism = self._drawn()
        self._state: tuple[float, float] = self.kind.home
        self._command, self._late_s, self._k = 0.0, 0.0, 0
        self._begin(self.kind.home, 0)

    def step(self, action: float) -> Reading:
        """One step; its end scatters around the boundary."""
        _, command, clamped = self._actuator.bridge_command(action)
        flaws = self.flaws
        late_s = float(np.clip(self.rng.normal(0.0, flaws.jitter_s), -0.01, 0.01)) if flaws.jitter_s else 0.0
        duration_s = self.dt_s + late_s - self._late_s
        self._late_s = late_s
        before_s = min(flaws.delay_s, duration_s)
        limited = self._move(self._command, before_s)
        window_s = min(flaws.velocity_window_s, duration_s - before_s)
        limited |= self._move(command, duration_s - before_s - window_s)
        from_angle = self._state[0]
        limited |= self._move(command, window_s)
        angle, velocity = self._state
        if flaws.velocity_window_s:
            velocity = (angle - from_angle) / window_s if window_s > 0.0 else velocity
        self._command = command
        self._k += 1
        flags = int(Flag.CLAMPED_ACTION if clamped else 0) | limited
        self._reading = Reading(
            self._angle(angle), velocity, self._k, 0, flaws.delay_s, duration_s, flaws.delay_s, command, flags
        )
        return self._reading

    def read(self) -> Reading:
        """The newest reading."""
        return self._reading

    def reset(self, mode: ResetMode, start: State | None = None) -> Reading:
        """Start anew, with other constants where they are randomised."""
        self._mechanism = self._drawn()
        self._begin(self.kind.home if start is None else start, int(Flag.SETTLED) if mode is ResetMode.SETTLE else 0)
        return self._reading

    def close(self) -> None:
        """Nothing to let go of."""

    def _begin(self, state: State, flags: int) -> None:
        self._state = state
        self._k, self._command, self._late_s = 0, 0.0, 0.0
        self._reading = Reading(self._angle(state[0]), state[1], 0, 0, 0.0, 0.0, 0.0, 0.0, flags)

    def _move(self, command: float, duration_s: float) -> int:
        angle, velocity, limited = self._mechanism.step(self._state, command, duration_s)
        self._state = angle, velocity
        return limited

    def _angle(self, angle_rad: float) -> float:
        return imperfections.counted(angle_rad, self.robot) if self.flaws.encoder else angle_rad

    def _drawn(self) -> Mechanism:
        factor = self.flaws.randomise
        model = imperfections.drawn(self.robot, factor, self.rng) if factor else self.robot.model
        return self.kind.limited(model, self.robot.limits.speed_rad_s)
