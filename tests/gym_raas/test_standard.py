"""What counts as the standard task, on what a simulated robot records."""

from __future__ import annotations

import math

import numpy as np
import pytest

from appliance.realtime.telemetry import StepRecord
from gym_raas import standard, task
from gym_raas.parameters import load_robot
from gym_raas.physics import State
from gym_raas.simulation import SimulatedPlant
from gym_raas.wire import ResetMode

HANGING = State(math.pi, 0.0)


def driven(count: int, start: State = HANGING, missed_at: tuple[int, ...] = (), seed: int = 1) -> list[StepRecord]:
    """Steps as the loop records them; boundaries are missed before the given ones."""
    plant, rng = SimulatedPlant(load_robot()), np.random.default_rng(seed)
    before, k, steps = plant.reset(ResetMode.SETTLE, start), 0, []
    for index in range(count):
        action = float(rng.uniform(-2.0, 2.0))
        cost = task.cost(before.angle_rad, before.velocity_rad_s, action)
        before = plant.step(action)
        missed = int(index in missed_at)
        k += 1 + missed
        steps.append(
            StepRecord(k, 0, 0, k * 50_000, 0, before.angle_rad, before.velocity_rad_s, action, 0.0, cost, missed, 0)
        )
    return steps


def test_four_hundred_steps_from_hanging_have_the_return_that_the_program_saw() -> None:
    steps = driven(400)
    found = standard.outcome(steps)
    assert found is not None
    assert (found.episodes, found.missed) == (1, 0)
    assert found.mean_return == found.best_return == pytest.approx(-sum(step.cost for step in steps))


def test_what_comes_after_the_episode_does_not_count() -> None:
    assert standard.outcome(driven(520)) == standard.outcome(driven(400))


def test_several_episodes_are_told_by_their_mean_and_best() -> None:
    parts = [driven(400, seed=1), driven(400, seed=2), driven(30)]
    returns = [-sum(step.cost for step in part) for part in parts[:2]]
    found = standard.outcome([step for part in parts for step in part])
    assert found is not None
    assert (found.episodes, found.best_return) == (2, pytest.approx(max(returns)))
    assert found.mean_return == pytest.approx(sum(returns) / 2)


def test_four_missed_boundaries_are_forgiven_and_five_are_not() -> None:
    found = standard.outcome(driven(400, missed_at=(0, 5, 9, 200)))
    assert found is not None
    assert found.missed == 4
    assert standard.outcome(driven(400, missed_at=(0, 5, 9, 200, 399))) is None


def test_an_arm_that_sticks_beside_hanging_hangs() -> None:
    assert standard.outcome(driven(400, State(math.pi - 0.04, 0.0))) is not None


@pytest.mark.parametrize(
    "start",
    [State(0.0, 0.0), State(math.pi - 0.3, 0.0), State(math.pi, 3.0), State(math.pi - 0.3, -3.5), State(3.1, -1.8)],
)
def test_an_episode_that_began_elsewhere_or_moving_does_not_count(start: State) -> None:
    assert standard.outcome(driven(400, start)) is None


def test_less_than_an_episode_is_none() -> None:
    assert standard.outcome([]) is None
    assert standard.outcome(driven(399)) is None
    assert standard.outcome(driven(500)[100:]) is None, "its beginning is missing"
