"""The classic face: the environment that programs written for the original know, under `gym`.

`reset` returns an observation, `step` a 4-tuple, lists are actions, `_get_obs()` is there, nobody asks for a reset, and
`render` draws where there is a screen. Old programs run unchanged, in the simulation and on the robot.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import gym
import numpy as np
import numpy.typing as npt
from gym import spaces

from gym_raas import plants
from gym_raas.driver import Driver, Observation, highest_observation
from gym_raas.kinds.known import KINDS
from gym_raas.physics import State
from gym_raas.plant import Plant
from gym_raas.remote_client import LeaseWish
from gym_raas.wire import ResetMode

_GymEnv: Any = gym.Env  # typed for the new interface, whereas this face keeps the old one


class ClassicRobot(_GymEnv):  # type: ignore[misc]  # see there
    """`gym.make('raaspendulum-v0')`, or another of `gym_raas.kinds` by its name.

    `robot`: a robot file (or Robot) to simulate; by default the real robot where there is one, else the packaged one.
    'raas://HOST' is a real robot over the network, with the `token` that its owner hands out (see the modern face).
    """

    metadata = {"render_modes": ["human", "rgb_array"], "render_fps": 20}  # noqa: RUF012 (the library's)
    reward_range = (-math.inf, 0.0)

    def __init__(
        self,
        render_mode: str | None = None,
        robot: plants.Choice = None,
        plant: Plant | None = None,
        kind: str = "pendulum",
        token: str | Path | None = None,
        lease_s: float | None = None,
        wait_s: float = 3600.0,
    ) -> None:
        self.render_mode = render_mode
        self._kind = chosen_kind = KINDS[kind]
        wish = LeaseWish(token, lease_s, wait_s)
        self._driver = Driver(
            plants.choose(chosen_kind, robot, wish=wish) if plant is None else plants.checked(plant, chosen_kind)
        )
        limit, highest = self._driver.plant.action_limit, highest_observation(chosen_kind)
        self.dt = self._driver.plant.dt_s
        self.max_torque, self.max_speed = limit, chosen_kind.task.highest[-1]
        self.metadata = type(self).metadata | {"render_fps": round(1.0 / self.dt)}
        self.action_space = spaces.Box(-limit, limit, shape=(1,), dtype=np.float32)
        self.observation_space = spaces.Box(-highest, highest, dtype=np.float32)

    def step(self, action: Any) -> tuple[Observation, float, bool, dict[str, Any]]:
        """(observation, reward, False, info) at the next 50 ms boundary; info is empty, but over a network."""
        observation, cost = self._driver.step(action)
        return observation, -cost, False, dict(self._driver.last.over_network())

    def reset(self, *, seed: int | None = None) -> Observation:
        """The simulation starts anywhere; on the robot the motor is switched off. Returns the observation."""
        if seed is not None:
            self.seed(seed)
        high = np.array(self._kind.task.starts)
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
