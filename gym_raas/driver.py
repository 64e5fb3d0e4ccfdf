"""What do both faces share? Checking actions, stepping the plant, observation and cost, and pictures.

The faces only translate between this and the two libraries' conventions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gym_raas import drawing
from gym_raas.actions import as_action
from gym_raas.errors import ClosedError
from gym_raas.kinds.kind import Kind
from gym_raas.physics import State
from gym_raas.plant import Plant, Reading
from gym_raas.window import Window
from gym_raas.wire import ResetMode

Observation = npt.NDArray[np.float32]


def highest_observation(kind: Kind) -> Observation:
    """Bounds of the observation space."""
    return np.array(kind.task.highest, np.float32)


class Driver:
    """One program's hold on a plant. `paced`: a window shows the simulation in real time."""

    def __init__(self, plant: Plant, *, paced: bool = False) -> None:
        self.plant = plant
        self._cost, self._observation = plant.kind.task.cost, plant.kind.task.observation
        self.last: Reading = plant.read()
        self._action = 0.0
        self._paced = paced and plant.can_be_placed
        self._window: Window | None = None
        self._closed = False

    def step(self, given: Any) -> tuple[Observation, float]:
        """(observation, cost) of one step. The cost is that of the last state seen before it with the clipped action.

        Raises ValueError or TypeError for what is no action; the plant then stays as it was.
        """
        action = as_action(given)
        if self._closed:
            raise ClosedError("this environment was closed; make a new one to go on")
        before = self.last
        self.last = reading = self.plant.step(action)
        limit = self.plant.action_limit
        if not -limit <= action <= limit:
            action = limit if action > 0.0 else -limit
        self._action = action
        cost = self._cost(before.angle_rad, before.velocity_rad_s, action)
        return np.array(self._observation(reading.angle_rad, reading.velocity_rad_s), np.float32), cost

    def observe(self) -> Observation:
        """The newest observation; advances nothing."""
        if self._closed:
            raise ClosedError("this environment was closed; make a new one to go on")
        self.last = self.plant.read()
        return self.observation()

    def observation(self) -> Observation:
        """The observation of the last reading."""
        return np.array(self._observation(self.last.angle_rad, self.last.velocity_rad_s), np.float32)

    def reset(self, mode: ResetMode, start: State | None) -> Observation:
        """Motor off (or settle) and begin anew; `start` places a plant that can be placed."""
        if self._closed:
            raise ClosedError("this environment was closed; make a new one to go on")
        self._action = 0.0
        self.last = self.plant.reset(mode, start)
        return self.observation()

    def picture(self) -> npt.NDArray[np.uint8]:
        """The robot and its action as an image of shape (height, width, 3)."""
        return drawing.picture(self.plant.kind, self.last.angle_rad, self._action / self.plant.action_limit)

    def show(self) -> None:
        """Draw into a window; without a display (or pygame) this does nothing."""
        if self._closed:
            return
        if self._window is None:
            self._window = Window(f"raas{self.plant.kind.name}", 1.0 / self.plant.dt_s if self._paced else None)
        if self._window.is_open:
            self._window.show(self.picture())

    def close(self) -> None:
        """Let go of plant and window; any number of times."""
        self._closed = True
        self.plant.close()
        if self._window is not None:
            self._window.close()
            self._window = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_window": None}  # a copy opens its own
