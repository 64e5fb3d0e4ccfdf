"""The smooth motion agrees with a simulator that shares nothing with ours: MuJoCo, Runge-Kutta of 1 ms."""

from __future__ import annotations

import dataclasses
import math
import random

import numpy as np
import pytest

from gym_raas.parameters import load_robot
from gym_raas.physics import Pendulum, State
from tests.calibration.independent import Arm

SMOOTH = dataclasses.replace(load_robot().model, coulomb_rad_s2=0.0)
DT_S = 0.05
STEPS = 200


def commands(driven: bool) -> list[float]:
    rng = random.Random(3)
    return [float(rng.randint(-500, 500)) if driven else 0.0 for _ in range(STEPS)]


@pytest.mark.parametrize("amplitude", [0.2, 1.0, 2.0, 3.0])
@pytest.mark.parametrize("driven", [False, True], ids=["free", "driven"])
def test_ten_seconds_of_smooth_motion_are_those_of_mujoco(amplitude: float, driven: bool) -> None:
    arm = Arm(SMOOTH, step_s=0.001, integrator="RK4")
    arm.data.qpos[0] = amplitude
    pendulum, state, errors = Pendulum(SMOOTH, substep_s=0.001), State(math.pi + amplitude, 0.0), []
    for command in commands(driven):
        arm.command(command, powered=driven)
        state = pendulum.advance(state, command, DT_S, powered=driven)
        errors.append(state.angle_rad - math.pi - arm.run(DT_S))
    assert float(np.abs(errors).max()) <= 1e-7
