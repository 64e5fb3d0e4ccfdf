"""The modern face: the same robots under gymnasium, with its 5-tuple, seeds, options and render modes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from gym_raas import plants
from gym_raas.driver import Driver, Observation, highest_observation
from gym_raas.imperfect import ImperfectPlant
from gym_raas.kinds.kind import Kind
from gym_raas.kinds.known import KINDS
from gym_raas.physics import State
from gym_raas.plant import Plant, Reading
from gym_raas.remote_client import LeaseWish
from gym_raas.wire import ResetMode


class ModernRobot(gymnasium.Env[Observation, npt.NDArray[np.float32]]):
    """`gymnasium.make('raaspendulum-v1')`, or another of `gym_raas.kinds` by its name.

    `robot`: a robot file, an appliance's address or a Robot to simulate; by default the real robot where there is one,
    else the packaged one. `imperfections` of a simulation: 'none', 'measured' (encoder's counts, velocity estimate, delay,
    jitter, and constants drawn from the fit's uncertainty, all as the robot's file tells) or an `Imperfections`.
    'raas://HOST' is a real robot over the network, with the `token` (text or file's path) that its owner hands out, for at
    most `lease_s`, after waiting in its queue for at most `wait_s`.
    `start`: where a simulated episode begins, where the robot rests ('hanging' for the pendulum, 'parked' for the cart) or
    'random'; `reset`'s options may say it too.
    """

    metadata = {"render_modes": ["human", "rgb_array"], "render_fps": 20}  # noqa: RUF012 (the library's)

    def __init__(
        self,
        render_mode: str | None = None,
        robot: plants.Choice = None,
        start: str | None = None,
        plant: Plant | None = None,
        imperfections: plants.Flaws = "none",
        kind: str = "pendulum",
        token: str | Path | None = None,
        lease_s: float | None = None,
        wait_s: float = 3600.0,
    ) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            raise ValueError(f"render_mode {render_mode!r} given; expected is 'human', 'rgb_array' or None")
        self.render_mode = render_mode
        self._kind = chosen_kind = KINDS[kind]
        self._start = known_start(start or chosen_kind.home_name, chosen_kind)
        wish = LeaseWish(token, lease_s, wait_s)
        chosen = (
            plants.choose(chosen_kind, robot, imperfections, wish)
            if plant is None
            else plants.checked(plant, chosen_kind)
        )
        self._driver = Driver(chosen, paced=True)
        self.metadata = type(self).metadata | {"render_fps": round(1.0 / chosen.dt_s)}
        limit, highest = chosen.action_limit, highest_observation(chosen_kind)
        self.action_space = spaces.Box(-limit, limit, shape=(1,), dtype=np.float32)
        self.observation_space = spaces.Box(-highest, highest, dtype=np.float32)

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """(observation, reward, False, False, info) at the next 50 ms boundary."""
        observation, cost = self._driver.step(action)
        if self.render_mode == "human":
            self._driver.show()
        return observation, -cost, False, False, _info(self._driver.last)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Let the robot settle where it rests; `info['settle_s']` says how long that took.

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
        kind = self._kind
        if chosen_start(options, self._start, kind) == kind.home_name:
            return kind.home
        if not self._driver.plant.can_be_placed:
            raise ValueError(f"start 'random' given; the real robot always starts {kind.home_name!r}")
        angle, velocity = self.np_random.uniform(*random_starts(kind))
        return State(float(angle), float(velocity))


def random_starts(kind: Kind) -> tuple[Observation, Observation]:
    """Lowest and highest angle and velocity of a random start, shape (2,) each."""
    high = np.array(kind.task.starts)
    return -high, high


def chosen_start(options: dict[str, Any], usual: str, kind: Kind) -> str:
    """Where `reset`'s options let an episode begin. Raises ValueError."""
    unknown = next((key for key in options if key != "start"), None)
    if unknown is not None:
        raise ValueError(f"option {unknown!r} given to reset; known is 'start'")
    return known_start(options.get("start", usual), kind)


def known_start(start: object, kind: Kind) -> str:
    """Where the robot rests, or 'random'. Raises ValueError."""
    if start not in (kind.home_name, "random"):
        raise ValueError(f"start {start!r} given; expected is {kind.home_name!r} or 'random'")
    return str(start)


def _info(reading: Reading) -> dict[str, Any]:
    info: dict[str, Any] = {
        "k": reading.k,
        "action_delay_s": reading.action_delay_s,
        "held_s": reading.held_s,
        "missed": reading.missed,
        "flags": reading.flags,
    }
    if reading.network_s is not None:
        info |= reading.over_network()
    return info
