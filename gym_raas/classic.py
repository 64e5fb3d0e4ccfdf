"""The classic face: the environment that programs written for the original know, under `gym`.

`reset` returns an observation, `step` a 4-tuple, lists are actions, `_get_obs()` is there, nobody asks for a reset, and
`render` draws where there is a screen. Old programs run unchanged, in the simulation and on the robot.
"""

from __future__ import annotations

import math
from typing import Any, Final

import gym
import numpy as np
import numpy.typing as npt
from gym import spaces

from gym_raas import plants, task
from gym_raas.driver import HIGHEST_OBSERVATION, Driver, Observation
from gym_raas.physics import State
from gym_raas.plant import Plant
from gym_raas.wire import ResetMode

#: A simulated reset starts at most this far from upright and this fast, as gym's Pendulum-v0 did.
_START_ANGLE_RAD: Final = math.pi
_START_SPEED_RAD_S: Final = 1.0


_GymEnv: Any = gym.Env  # typed for the new interface, whereas this face keeps the old one


class ClassicPendulum(_GymEnv):  # type: ignore[misc]  # see there
    """`gym.make('raaspendulum-v0')`.

    `robot`: a robot file (or Robot) to simulate; by default the real robot where there is one, else the packaged one.
    """

    metadata = {"render_modes": ["human", "rgb_array"], "render_fps": round(1.0 / task.DT_S)}  # noqa: RUF012 (gym's)
    reward_range = (-math.inf, 0.0)

    def __init__(self, render_mode: str | None = None, robot: plants.Choice = None, plant: Plant | None = None) -> None:
        self.render_mode = render_mode
        self._driver = Driver(plants.choose(robot) if plant is None else plant)
        limit = self._driver.plant.action_limit
        self.dt = self._driver.plant.dt_s
        self.max_torque, self.max_speed = limit, task.MAX_SPEED_RAD_S
        self.action_space = spaces.Box(-limit, limit, shape=(1,), dtype=np.float32)
        self.observation_space = spaces.Box(-HIGHEST_OBSERVATION, HIGHEST_OBSERVATION, dtype=np.float32)

    def step(self, action: Any) -> tuple[Observation, float, bool, dict[str, Any]]:
        """(observation, reward, False, {}) at the next 50 ms boundary."""
        observation, cost = self._driver.step(action)
        return observation, -cost, False, {}

    def reset(self, *, seed: int | None = None) -> Observation:
        """The simulation starts anywhere; on the robot the motor is switched off. Returns the observation."""
        if seed is not None:
            self.seed(seed)
        high = np.array([_START_ANGLE_RAD, _START_SPEED_RAD_S])
        angle, velocity = self.np_random.uniform(-high, high)
        return self._driver.reset(ResetMode.MOTOR_OFF, State(float(angle), float(velocity)))

    def seed(self, seed: int | None = None) -> list[int]:
        """Seed the random starts of the simulation, as programs did before `reset(seed=...)`."""
        self._np_random, used = gym.utils.seeding.np_random(seed)
        return [used]

    def render(self, mode: str | None = None) -> npt.NDArray[np.uint8] | None:
        """The picture for `rgb_array`; otherwise draw where there is a screen. Never fails for want of one."""
        if (mode or self.render_mode) == "rgb_array":
            return self._driver.picture()
        self._driver.show()
        return None

    def close(self) -> None:
        """Let go of the robot and the window."""
        self._driver.close()

    def _get_obs(self) -> Observation:
        return self._driver.observe()
