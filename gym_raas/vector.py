"""Many simulated pendulums as one environment: `gymnasium.make_vec('raaspendulum-v1', num_envs=1024)`.

Each behaves as a `raaspendulum-v1` of its own, step for step within 1e-9; one call moves all of them. There is one real
robot, so in a job this is a simulation that must be named.
"""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable
from typing import Any, Final

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from gym_raas import batch, compiled, drawing, imperfections, modern, plants, task
from gym_raas.actuator import Actuator
from gym_raas.batch import Floats, Models, Truths
from gym_raas.driver import highest_observation
from gym_raas.errors import ClosedError
from gym_raas.kinds.known import PENDULUM
from gym_raas.physics import HANGING
from gym_raas.wire import Flag

Observations = npt.NDArray[np.float32]
BACKENDS: Final = ("auto", "numpy", "numba")


class PendulumVector(gymnasium.vector.VectorEnv[Observations, npt.NDArray[np.float32], Any]):
    """`num_envs` pendulums. `backend`: 'numba', 'numpy', or 'auto' for the first of them that is installed.

    `robot`, `start`: as in `gym_raas.modern`. `randomise`: each episode draws its pendulum's constants from the fit's
    uncertainties times this factor. An episode that has ended begins anew with the next step (AutoresetMode.NEXT_STEP).
    """

    metadata = {  # noqa: RUF012 (gymnasium's)
        "render_modes": ["rgb_array"],
        "render_fps": round(1.0 / task.DT_S),
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        robot: plants.Choice = None,
        start: str = "hanging",
        randomise: float = 0.0,
        backend: str = "auto",
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        kind: str = PENDULUM.name,
    ) -> None:
        if kind != PENDULUM.name:
            raise ValueError(f"kind {kind!r} given; expected is {PENDULUM.name!r}: gymnasium steps others in turn")
        if num_envs < 1:
            raise ValueError(f"num_envs {num_envs!r} given; expected is a whole number from 1")
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode {render_mode!r} given; expected is 'rgb_array' or None")
        if robot is None and plants.robot_address(os.environ) is not None:
            raise ValueError(
                "the robot can't be many: name a robot= to simulate, or make one with gymnasium.make('raaspendulum-v1')"
            )
        self.num_envs, self.render_mode = num_envs, render_mode
        self.robot = plants.named_robot(robot, PENDULUM)
        self._start = modern.known_start(start, PENDULUM)
        self._randomise = imperfections.Imperfections(randomise=randomise).randomise
        self._move = _backend(backend)
        self._limit_steps = math.inf if max_episode_steps is None else max_episode_steps
        self._table = np.array(Actuator(self.robot).table)
        limit, highest = self.robot.limits.action, highest_observation(PENDULUM)
        self.single_action_space = spaces.Box(-limit, limit, shape=(1,), dtype=np.float32)
        self.single_observation_space = spaces.Box(-highest, highest, dtype=np.float32)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self._models = Models.of([self.robot.model] * num_envs)
        self._angles, self._velocities = np.full(num_envs, HANGING.angle_rad), np.zeros(num_envs)
        self._actions = np.zeros(num_envs)
        self._k = np.zeros(num_envs, np.int64)
        self._ended: Truths = np.zeros(num_envs, np.bool_)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Begin all episodes anew; one `seed` decides all that is drawn, also by later episodes."""
        self._check_open()
        if isinstance(seed, list):
            raise ValueError("a list of seeds given; expected is one seed, from which all pendulums draw")
        super().reset(seed=seed)
        self._begin(np.arange(self.num_envs), modern.chosen_start(options or {}, self._start, PENDULUM))
        return self._observations(), self._info(np.zeros(self.num_envs, np.int64))

    def step(self, actions: Any) -> tuple[Observations, Floats, Truths, Truths, dict[str, Any]]:
        """(observations, rewards, terminations, truncations, infos) at the next 50 ms boundary of each.

        Where the last step ended an episode, the action is unused, the reward 0, and the observation the next episode's.
        Raises ValueError or TypeError for what are no actions; nothing has moved then.
        """
        self._check_open()
        given = _checked(actions, self.num_envs)
        limit = self.robot.limits.action
        clipped = np.clip(given, -limit, limit)
        commands = self._commands(clipped)
        angles = (self._angles + math.pi) % (2.0 * math.pi) - math.pi
        rewards = -(angles**2 + 0.1 * self._velocities**2 + 0.001 * clipped**2)
        self._angles, self._velocities, over_speed = self._move(
            self._models, self._angles, self._velocities, commands, task.DT_S, self.robot.limits.speed_rad_s
        )
        self._actions = clipped
        self._k += 1
        flags = (clipped != given) * np.int64(Flag.CLAMPED_ACTION) | over_speed * np.int64(Flag.OVER_SPEED)
        (ended,) = np.nonzero(self._ended)
        if len(ended):
            self._begin(ended, self._start)
            rewards[ended], flags[ended] = 0.0, 0
        self._ended = self._k >= self._limit_steps
        return self._observations(), rewards, np.zeros(self.num_envs, np.bool_), self._ended, self._info(flags)

    def render(self) -> tuple[npt.NDArray[np.uint8], ...] | None:
        """A picture of each pendulum in mode 'rgb_array'."""
        if self.render_mode is None:
            return None
        limit = self.robot.limits.action
        return tuple(
            drawing.picture(PENDULUM, float(a), float(u) / limit)
            for a, u in zip(self._angles, self._actions, strict=True)
        )

    def _commands(self, clipped: Floats) -> Floats:
        wanted = np.trunc(clipped * self.robot.pwm.command_per_action).astype(np.int64)
        return np.where(wanted < 0, 0.0 - self._table[np.abs(wanted)], self._table[np.abs(wanted)])

    def _begin(self, which: npt.NDArray[np.int64], start: str) -> None:
        self._k[which], self._ended[which], self._actions[which] = 0, False, 0.0
        self._angles[which], self._velocities[which] = HANGING
        if start == "random":
            self._angles[which] = self.np_random.uniform(-math.pi, math.pi, len(which))
            self._velocities[which] = self.np_random.uniform(-1.0, 1.0, len(which))
        if self._randomise:
            models = imperfections.draws(self.robot, self._randomise, self.np_random, len(which))
            self._models.replace(which, Models.of(models))

    def _observations(self) -> Observations:
        top = task.MAX_SPEED_RAD_S
        seen = (np.cos(self._angles), np.sin(self._angles), np.clip(self._velocities, -top, top))
        return np.stack(seen, axis=1).astype(np.float32)

    def _info(self, flags: npt.NDArray[np.int64]) -> dict[str, Any]:
        return {"k": self._k.copy(), "flags": flags}

    def _check_open(self) -> None:
        if self.closed:
            raise ClosedError("this environment was closed; make a new one to go on")


def _backend(name: str) -> Callable[..., tuple[Floats, Floats, Truths]]:
    if name not in BACKENDS:
        raise ValueError(f"backend {name!r} given; expected is 'auto', 'numpy' or 'numba'")
    if name == "auto":
        name = "numba" if importlib.util.find_spec("numba") else "numpy"
    if name == "numpy":
        return batch.step
    compiled.kernel()
    return compiled.step


def _checked(actions: Any, number: int) -> Floats:
    """The actions as finite floats, shape (number,). Raises TypeError or ValueError."""
    expected = f"expected are finite numbers of shape ({number}, 1)"
    try:
        given = np.asarray(actions)
    except ValueError as error:
        raise ValueError(f"the actions have no regular shape; {expected}") from error
    if given.dtype.kind not in "iuf":
        raise TypeError(f"the actions of type {given.dtype} are not numeric; {expected}")
    if given.shape not in ((number, 1), (number,)):
        raise ValueError(f"the actions have the shape {given.shape}; {expected}")
    flat = given.reshape(number).astype(np.float64)
    finite = np.isfinite(flat)
    if not finite.all():
        first = int(np.argmin(finite))
        raise ValueError(f"action {first} is {flat[first]}, which is not finite; {expected}")
    return flat
