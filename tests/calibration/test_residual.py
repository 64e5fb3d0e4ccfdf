from __future__ import annotations

import dataclasses
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.calibration import residual
from appliance.calibration.drift import drift
from appliance.calibration.residual import Residual
from gym_raas.model import Model
from gym_raas.parameters import load_robot
from gym_raas.physics import HANGING, Pendulum, State

ROBOT = load_robot()
SHORT_OF_THE_TOP = dataclasses.replace(ROBOT.model, brake_per_s=2.0 * ROBOT.model.brake_per_s)


def session(
    model: Model, commands: list[float], *, start: State = HANGING, step_s: float = 0.05
) -> tuple[np.ndarray, ...]:
    """Ticks of a robot with this model: times, counts, velocities, commands."""
    pendulum, state, rows = Pendulum(model), start, []
    for number, command in enumerate(commands):
        for tick in range(round(step_s / 0.001)):
            counts = math.floor((state.angle_rad - math.pi) / ROBOT.encoder.rad_per_count)
            rows.append((number * step_s + tick * 0.001, counts, state.velocity_rad_s, command))
            state = pendulum.advance(state, command, 0.001)
    t_s, counts, velocity, at_bridge = map(np.array, zip(*rows, strict=True))
    return t_s, counts.astype(int), velocity, at_bridge


def gentle(seconds: float) -> list[float]:
    rng = random.Random(4)
    return [command for _ in range(round(seconds / 0.5)) for command in [rng.choice((-320.0, 0.0, 320.0))] * 10]


def compared(model: Model, commands: list[float], start: State = HANGING) -> Residual:
    found = residual.compare(ROBOT, *session(model, commands, start=start))
    assert found is not None
    return found


def test_a_robot_that_is_its_twin_stays_with_it() -> None:
    found = compared(ROBOT.model, gentle(10.0))
    assert found.parted_s is None
    assert found.rmse_rad < 0.03
    assert found.window_rmse_rad is not None
    assert found.window_rmse_rad < 0.02


def test_a_robot_with_more_friction_shows_in_each_second() -> None:
    worn = dataclasses.replace(ROBOT.model, coulomb_rad_s2=2.0 * ROBOT.model.coulomb_rad_s2)
    right, wrong = compared(ROBOT.model, gentle(10.0)), compared(worn, gentle(10.0))
    assert wrong.window_rmse_rad is not None
    assert right.window_rmse_rad is not None
    assert wrong.window_rmse_rad > 4.0 * right.window_rmse_rad


def test_where_a_pass_over_the_top_parts_them_is_said() -> None:
    found = compared(SHORT_OF_THE_TOP, [0.0] * 60, start=State(math.pi, 15.0))
    assert found.parted_s is not None
    assert 0.1 < found.parted_s < 6.0
    assert found.rmse_rad < residual.PARTED_RAD


def test_an_arm_at_rest_says_nothing_about_the_model() -> None:
    found = compared(ROBOT.model, [0.0] * 60)
    assert found.window_rmse_rad is None
    assert set(found.figures()) == {"rmse_rad"}


def test_the_same_ticks_give_the_same_figures() -> None:
    ticks = session(ROBOT.model, gentle(10.0))
    assert residual.compare(ROBOT, *ticks).figures() == residual.compare(ROBOT, *ticks).figures()  # type: ignore[union-attr]


@pytest.mark.parametrize("ticks", [0, 1, 60])
def test_too_short_a_session_has_no_residual(ticks: int) -> None:
    columns = (np.arange(ticks) * 0.001, np.zeros(ticks, int), np.zeros(ticks), np.zeros(ticks))
    assert residual.compare(ROBOT, *columns) is None


@given(
    st.lists(
        st.tuples(st.floats(0, 130), st.integers(-(10**6), 10**6), st.floats(-500, 500), st.floats(-1000, 1000)),
        max_size=60,
    )
)
def test_torn_or_jumbled_ticks_break_nothing(rows: list[tuple[float, int, float, float]]) -> None:
    columns = [np.array(column, float) for column in zip(*rows, strict=True)] or [np.zeros(0)] * 4
    found = residual.compare(ROBOT, columns[0], columns[1].astype(int), columns[2], columns[3])
    assert found is None or np.all(np.isfinite(found.twin_rad))


def test_a_session_that_changes_its_command_too_often_is_not_replayed() -> None:
    count = 30_000
    columns = (np.arange(count) * 0.001, np.zeros(count, int), np.zeros(count), np.arange(count) % 2 * 100.0)
    assert residual.compare(ROBOT, *columns) is None


def test_drift_is_a_median_that_has_doubled() -> None:
    before = [0.02, 0.02, 0.03, 0.02, 0.5]
    drifting, steady = drift([0.05, 0.06, 0.5, 0.05, 0.01, *before]), drift([*before, *before])
    assert drifting is not None
    assert steady is not None
    assert (drifting.newest_rad, drifting.before_rad, drifting.drifts, steady.drifts) == (0.05, 0.02, True, False)
    assert drift([0.05] * 9) is None
