"""Many pendulums at once move as each would alone, with numpy and with numba."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from hypothesis import given, settings
from hypothesis import strategies as st

import gym_raas.errors  # also makes the environment known to gymnasium
from gym_raas import batch, compiled
from gym_raas.batch import Models
from gym_raas.parameters import Robot, load_robot
from gym_raas.physics import Pendulum
from tests.gym_raas.stand_in import StandIn

STEPS = {"numpy": batch.step, "numba": compiled.step}
ROBOT = load_robot()
TOP_SPEED = ROBOT.limits.speed_rad_s
Step = Callable[..., Any]


@pytest.fixture(params=list(STEPS))
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def make(number: int, **wishes: Any) -> Any:
    return gymnasium.make_vec("raaspendulum-v1", number, vectorization_mode="vector_entry_point", **wishes)


def alone(robot: Robot, angle: float, velocity: float, command: float) -> tuple[float, float, bool]:
    return Pendulum(robot.model, speed_limit_rad_s=TOP_SPEED).step((angle, velocity), command, 0.05)


# Slow ones reverse and stick within a step; fast ones meet the speed limit.
speeds = st.one_of(st.just(0.0), st.floats(-1.0, 1.0), st.floats(-25.0, 25.0))
commands = st.one_of(st.just(0.0), st.sampled_from([-500.0, -160.0, 120.0, 480.0]), st.floats(-500.0, 500.0))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.floats(-10.0, 10.0), speeds, commands), min_size=1, max_size=8))
def test_one_step_of_many_is_the_step_of_each(states: list[tuple[float, float, float]]) -> None:
    angles, velocities, given_commands = np.array(states).T
    expected = [alone(ROBOT, *state) for state in states]
    for step in STEPS.values():
        found = step(Models.of([ROBOT.model] * len(states)), angles, velocities, given_commands, 0.05, TOP_SPEED)
        assert np.max(np.abs(np.array(found[:2]).T - [each[:2] for each in expected])) <= 1e-9
        assert found[2].tolist() == [bool(each[2]) for each in expected]


def test_reversals_are_located_by_all_three(backend: str) -> None:
    rng = np.random.default_rng(1)
    angles, velocities = rng.uniform(2.9, 3.4, 5000), rng.uniform(-0.3, 0.3, 5000)
    given_commands = rng.choice([-500.0, -240.0, 0.0, 240.0, 500.0], 5000)
    found = STEPS[backend](Models.of([ROBOT.model] * 5000), angles, velocities, given_commands, 0.05, TOP_SPEED)
    expected = np.array([alone(ROBOT, *each)[:2] for each in zip(angles, velocities, given_commands, strict=True)])
    assert np.sum(velocities * expected[:, 1] < 0.0) > 500, "too few reverse for this to show anything"
    assert np.sum(expected[:, 1] == 0.0) > 100, "too few come to rest"
    assert np.max(np.abs(np.array(found[:2]).T - expected)) <= 1e-9


def test_each_pendulum_may_have_constants_of_its_own(backend: str) -> None:
    heavy = dataclasses.replace(ROBOT.model, gravity_rad_s2=60.0, coulomb_rad_s2=0.0)
    found = STEPS[backend](
        Models.of([ROBOT.model, heavy]), np.full(2, 2.0), np.zeros(2), np.full(2, 100.0), 0.05, TOP_SPEED
    )
    for index, model in enumerate((ROBOT.model, heavy)):
        expected = alone(dataclasses.replace(ROBOT, model=model), 2.0, 0.0, 100.0)
        assert (found[0][index], found[1][index]) == pytest.approx(expected[:2], abs=1e-9)


def test_an_episode_is_that_of_the_environment_alone(backend: str) -> None:
    many, one = make(3, backend=backend), gymnasium.make("raaspendulum-v1")
    seen, _ = many.reset(seed=1)
    expected, _ = one.reset()
    assert seen == pytest.approx(np.tile(expected, (3, 1)), abs=1e-7)
    rng = np.random.default_rng(2)
    for step in range(400):
        actions = rng.uniform(-2.5, 2.5, (3, 1)).astype(np.float32)
        seen, rewards, terminated, truncated, info = many.step(actions)
        expected, reward, _, ended, expected_info = one.step(actions[1])
        assert seen[1] == pytest.approx(expected, abs=1e-6)
        assert rewards[1] == pytest.approx(reward, abs=1e-8)
        assert (info["k"][1], info["flags"][1]) == (expected_info["k"], expected_info["flags"])
        assert truncated.all() == ended == (step == 399)
        assert not terminated.any()


def test_an_ended_episode_begins_anew_with_the_next_step(backend: str) -> None:
    envs = make(2, backend=backend, max_episode_steps=3)
    first, _ = envs.reset(seed=1)
    ends = [envs.step(np.full((2, 1), 2.0, np.float32))[3].all() for _ in range(3)]
    again, rewards, _, truncated, info = envs.step(np.full((2, 1), 2.0, np.float32))
    assert ends == [False, False, True]
    assert np.array_equal(first, again)
    assert rewards.tolist() == [0.0, 0.0]
    assert not truncated.any()
    assert info["k"].tolist() == [0, 0]


def test_observations_fit_the_space_and_seeds_repeat_them(backend: str) -> None:
    def episode(seed: int) -> list[Any]:
        envs = make(16, backend=backend, start="random", randomise=1.0, max_episode_steps=10)
        seen = [envs.reset(seed=seed)[0]]
        envs.action_space.seed(seed)
        seen += [envs.step(envs.action_space.sample())[0] for _ in range(30)]
        assert all(envs.observation_space.contains(each) for each in seen)
        return seen

    assert np.array_equal(episode(3), episode(3))
    assert not np.array_equal(episode(3), episode(4))


def test_randomised_constants_differ_between_pendulums() -> None:
    envs = make(4, backend="numpy", randomise=1.0)
    envs.reset(seed=1)
    for _ in range(10):
        seen, *_ = envs.step(np.full((4, 1), 2.0, np.float32))
    assert len(set(seen[:, 2].tolist())) == 4


def test_wrappers_copies_and_pictures_fit() -> None:
    envs = RecordEpisodeStatistics(make(2, backend="numpy", max_episode_steps=5, render_mode="rgb_array"))
    envs.reset(seed=1)
    for _ in range(5):
        *_, info = envs.step(np.ones((2, 1), np.float32))
    assert info["episode"]["l"].tolist() == [5, 5]
    for copied in (copy.deepcopy(envs.unwrapped), pickle.loads(pickle.dumps(envs.unwrapped))):
        assert np.array_equal(copied.render()[1], envs.render()[1])
    assert [picture.shape for picture in envs.render()] == [(400, 400, 3)] * 2
    envs.close()
    with pytest.raises(gym_raas.errors.ClosedError):
        envs.step(np.ones((2, 1), np.float32))


@pytest.mark.parametrize(
    ("actions", "error", "says"),
    [
        ([[math.nan], [0.0]], ValueError, "action 0 is nan"),
        ([[0.0], [math.inf]], ValueError, "action 1 is inf"),
        ([["left"], ["right"]], TypeError, "not numeric; expected are finite numbers of shape"),
        ([[True], [False]], TypeError, "type bool are not numeric"),
        ([[0.0]], ValueError, r"shape \(1, 1\); expected are finite numbers of shape \(2, 1\)"),
        ([[0.0], [1.0, 2.0]], ValueError, "no regular shape"),
        (None, TypeError, "not numeric"),
    ],
)
def test_what_are_no_actions_are_named_and_move_nothing(actions: Any, error: type[Exception], says: str) -> None:
    envs, untouched = make(2, backend="numpy"), make(2, backend="numpy")
    with pytest.raises(error, match=says):
        envs.step(actions)
    assert np.array_equal(envs.step(np.ones((2, 1)))[0], untouched.step(np.ones((2, 1)))[0])


@pytest.mark.parametrize(
    ("wishes", "says"),
    [
        ({"backend": "torch"}, "expected is 'auto', 'numpy' or 'numba'"),
        ({"start": "upside"}, "expected is 'hanging' or 'random'"),
        ({"randomise": -1.0}, "randomise -1.0 given"),
        ({"render_mode": "human"}, "expected is 'rgb_array' or None"),
    ],
)
def test_bad_arguments_are_named(wishes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make(2, **wishes)
    with pytest.raises(ValueError, match="expected is a whole number from 1"):
        make(0)
    with pytest.raises(ValueError, match="known is 'start'"):
        make(2, backend="numpy").reset(options={"begin": 1})


def test_the_real_robot_is_never_many(gateway: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAAS_ROBOT", gateway.address)
    with pytest.raises(ValueError, match="the robot can't be many"):
        make(2)
    assert make(2, robot=ROBOT, backend="numpy").reset()[0].shape == (2, 3)
    assert gateway.kinds() == []


def test_without_numba_numpy_steps_and_numba_is_named() -> None:
    program = (
        "import sys; sys.modules['numba'] = None\n"
        "import gymnasium, gym_raas\n"
        "from gym_raas.errors import MissingExtra\n"
        "wish = dict(num_envs=2, vectorization_mode='vector_entry_point')\n"
        "print(gymnasium.make_vec('raaspendulum-v1', **wish, backend='numpy').reset()[0].shape)\n"
        "try: gymnasium.make_vec('raaspendulum-v1', **wish, backend='numba')\n"
        "except MissingExtra as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.splitlines()[0] == "(2, 3)", done.stderr
    assert "pip install numba" in done.stdout
