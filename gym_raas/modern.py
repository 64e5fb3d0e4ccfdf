"""The modern face: the same pendulum under gymnasium, with its 5-tuple, seeds, options and render modes."""

from __future__ import annotations

import math
from typing import Any, Final

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from gym_raas import plants, task
from gym_raas.driver import HIGHEST_OBSERVATION, Driver, Observation
from gym_raas.imperfect import ImperfectPlant
from gym_raas.physics import HANGING, State
from gym_raas.plant import Plant, Reading
from gym_raas.wire import ResetMode

STARTS: Final = ("hanging", "random")


class ModernPendulum(gymnasium.Env[Observation, npt.NDArray[np.float32]]):
    """`gymnasium.make('raaspendulum-v1')`.

    `robot`: a robot file, an appliance's address or a Robot to simulate; by default the real robot where there is one,
    else the packaged one. `imperfections` of a simulation: 'none', 'measured' (encoder's counts, velocity estimate, delay,
    jitter, and constants drawn from the fit's uncertainty, all as the robot's file tells) or an `Imperfections`.
    `start`: where a simulated episode begins, 'hanging' (as on the robot) or 'random'; `reset`'s options may say it too.
    """

    metadata = {"render_modes": ["human", "rgb_array"], "render_fps": round(1.0 / task.DT_S)}  # noqa: RUF012 (gymnasium's)

    def __init__(
        self,
        render_mode: str | None = None,
        robot: plants.Choice = None,
        start: str = "hanging",
        plant: Plant | None = None,
        imperfections: plants.Flaws = "none",
    ) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(f"render_mode {render_mode!r} given; expected is 'human', 'rgb_array' or None")
        self.render_mode = render_mode
        self._start = known_start(start)
        chosen = plants.choose(robot, imperfections) if plant is None else plant
        self._driver = Driver(chosen, paced=True)
        limit = chosen.action_limit
        self.action_space = spaces.Box(-limit, limit, shape=(1,), dtype=np.float32)
        self.observation_space = spaces.Box(-HIGHEST_OBSERVATION, HIGHEST_OBSERVATION, dtype=np.float32)

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """(observation, reward, False, False, info) at the next 50 ms boundary."""
        observation, cost = self._driver.step(action)
        if self.render_mode == "human":
            self._driver.show()
        return observation, -cost, False, False, _info(self._driver.last)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Let the pendulum settle hanging; `info['settle_s']` says how long that took.

        `options={'start': 'random'}` begins a simulated episode anywhere; a real robot can't (ValueError).
        """
        super().reset(seed=seed)
        if isinstance(self._driver.plant, ImperfectPlant):
            self._driver.plant.rng = self.np_random
        start = self._starting_state(options or {})
        observation = self._driver.reset(ResetMode.SETTLE, start)
        if self.render_mode == "human":
            self._driver.show()
        return observation, _info(self._driver.last) | {"settle_s": self._driver.last.duration_s}

    def render(self) -> npt.NDArray[np.uint8] | None:
        """The picture of mode `rgb_array`; mode `human` draws by itself at each step."""
        if self.render_mode == "rgb_array":
            return self._driver.picture()
        if self.render_mode == "human":
            self._driver.show()
        return None

    def close(self) -> None:
        """Let go of the robot and the window."""
        self._driver.close()

    def _get_obs(self) -> Observation:
        return self._driver.observe()

    def _starting_state(self, options: dict[str, Any]) -> State:
        if chosen_start(options, self._start) == "hanging":
            return HANGING
        if not self._driver.plant.can_be_placed:
            raise ValueError("start 'random' given; the real robot always starts 'hanging'")
        angle, velocity = self.np_random.uniform((-math.pi, -1.0), (math.pi, 1.0))
        return State(float(angle), float(velocity))


def chosen_start(options: dict[str, Any], usual: str) -> str:
    """Where `reset`'s options let an episode begin. Raises ValueError."""
    unknown = next((key for key in options if key != "start"), None)
    if unknown is not None:
        raise ValueError(f"option {unknown!r} given to reset; known is 'start'")
    return known_start(options.get("start", usual))


def known_start(start: object) -> str:
    """One of STARTS. Raises ValueError."""
    if start not in STARTS:
        raise ValueError(f"start {start!r} given; expected is 'hanging' or 'random'")
    return str(start)


def _info(reading: Reading) -> dict[str, Any]:
    return {
        "k": reading.k,
        "action_delay_s": reading.action_delay_s,
        "held_s": reading.held_s,
        "missed": reading.missed,
        "flags": reading.flags,
    }
