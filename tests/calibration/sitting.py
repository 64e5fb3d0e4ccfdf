"""A robot with parameters that nobody knows, driven by the calibration's program and recorded as the loop records."""

from __future__ import annotations

import importlib.util
import math
from types import ModuleType

import numpy as np

import gym_raas
from gym_raas.actuator import Actuator
from gym_raas.kinds.known import PENDULUM
from gym_raas.modern import ModernRobot
from gym_raas.parameters import Robot
from gym_raas.physics import HANGING, Pendulum, State
from gym_raas.plant import Reading
from gym_raas.wire import ResetMode
from tests.calibration.independent import Arm

TICK_S = 0.001


class RecordedPlant:
    """A simulated plant that acts late, measures in counts from where it came to rest, and keeps a trace."""

    kind = PENDULUM
    dt_s = 0.05
    can_be_placed = False

    def __init__(self, robot: Robot, *, delay_s: float = 0.0, rest_rad: float = 0.0, arm: Arm | None = None) -> None:
        self.action_limit = robot.limits.action
        self._robot, self._pendulum, self._actuator = robot, Pendulum(robot.model), Actuator(robot)
        self._arm = arm
        if arm is not None:
            arm.data.qpos[0] = rest_rad
        self._state, self._late_ticks, self._rest_rad = (
            State(math.pi + rest_rad, 0.0),
            round(delay_s / TICK_S),
            rest_rad,
        )
        self._wanted: list[float] = [0.0] * (self._late_ticks + 1)
        self.rows: list[tuple[float, int, float]] = []

    def _counts(self) -> int:
        return math.floor((self._state.angle_rad - math.pi - self._rest_rad) / self._robot.encoder.rad_per_count + 0.5)

    def _move(self, command: float, seconds: float) -> None:
        for _ in range(round(seconds / TICK_S)):
            self.rows.append((len(self.rows) * TICK_S, self._counts(), command))
            self._wanted.append(command)
            self._state = self._after(self._wanted[-1 - self._late_ticks])

    def _after(self, command: float) -> State:
        """A tick later; by MuJoCo, where an arm was given."""
        if self._arm is None:
            return self._pendulum.advance(self._state, command, TICK_S)
        self._arm.command(command)
        angle_rad = self._arm.run(TICK_S)
        return State(math.pi + angle_rad, float(self._arm.data.qvel[0]))

    def step(self, action: float) -> Reading:
        _, command, _ = self._actuator.bridge_command(action)
        self._move(command, self.dt_s)
        return self.read()

    def read(self) -> Reading:
        return Reading(self._state.angle_rad, self._state.velocity_rad_s, 0, 0, 0.0, 0.05, 0.0, 0.0, 0)

    def reset(self, mode: ResetMode, start: State | None = None) -> Reading:
        self._move(0.0, 3.0)
        return self.read()

    def close(self) -> None:
        assert HANGING

    def trace(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        t_s, counts, commands = map(np.array, zip(*self.rows, strict=True))
        return t_s, counts.astype(np.int64), commands


def program() -> ModuleType:
    """The program that `raas calibrate` queues."""
    path = f"{gym_raas.__path__[0]}/examples/calibration/run.py"
    spec = importlib.util.spec_from_file_location("calibration_program", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def recorded(robot: Robot, *, delay_s: float = 0.0, rest_rad: float = 0.0, arm: Arm | None = None) -> RecordedPlant:
    plant = RecordedPlant(robot, delay_s=delay_s, rest_rad=rest_rad, arm=arm)
    program().experiment(ModernRobot(plant=plant))
    return plant
