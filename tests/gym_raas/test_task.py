from __future__ import annotations

import math

import gymnasium
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gym_raas import task

angles = st.floats(-100.0, 100.0)
velocities = st.floats(-30.0, 30.0)


@given(angles)
def test_normalised_angles_lie_in_one_turn_and_point_the_same_way(angle: float) -> None:
    short = task.normalised(angle)
    assert -math.pi <= short < math.pi
    assert math.cos(short) == pytest.approx(math.cos(angle), abs=1e-9)


@given(angles, velocities)
def test_observations_fit_the_space(angle: float, velocity: float) -> None:
    cosine, sine, speed = task.observation(angle, velocity)
    assert cosine**2 + sine**2 == pytest.approx(1.0)
    assert abs(speed) <= task.MAX_SPEED_RAD_S


@given(st.floats(-math.pi, math.pi), st.floats(-8.0, 8.0), st.floats(-2.0, 2.0))
def test_the_cost_is_that_of_the_classic_pendulum(angle: float, velocity: float, action: float) -> None:
    other = gymnasium.make("Pendulum-v1").unwrapped
    other.state = [angle, velocity]  # type: ignore[attr-defined]
    _, reward, *_ = other.step([action])
    assert task.cost(angle, velocity, action) == pytest.approx(-float(reward))


def test_only_standing_still_costs_nothing() -> None:
    assert task.cost(0.0, 0.0, 0.0) == task.cost(2.0 * math.pi, 0.0, 0.0) == 0.0
    assert task.cost(math.pi, 0.0, 0.0) == pytest.approx(math.pi**2)
