from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import gym
import numpy as np
import pytest

import gym_raas.parameters
import gym_raas.wire
from gym_raas import errors, task
from gym_raas.classic import ClassicRobot
from tests.gym_raas.stand_in import StandIn


@pytest.fixture(params=["simulation", "robot"])
def env(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    if request.param == "robot":
        gateway: StandIn = request.getfixturevalue("gateway")
        monkeypatch.setenv("RAAS_ROBOT", gateway.address)
    env = gym.make("raaspendulum-v0")
    yield env
    env.close()


def test_both_ids_make_the_bare_environment() -> None:
    for name in ("raaspendulum-v0", "RaasPendulum-v0"):
        assert type(gym.make(name)) is ClassicRobot


def test_reset_returns_an_observation_alone(env: Any) -> None:
    observation = env.reset()
    assert observation.shape == (3,)
    assert observation.dtype == np.float32
    assert env.observation_space.contains(observation)


def test_step_returns_four_and_never_ends(env: Any) -> None:
    env.reset()
    for _ in range(50):
        observation, reward, done, info = env.step(env.action_space.sample())
        assert env.observation_space.contains(observation)
        assert type(reward) is float
        assert (done, info) == (False, {})


def test_nobody_asks_for_a_reset(env: Any) -> None:
    observation, *_ = env.step([2.0])
    assert observation[2] > 0.0


def test_the_observation_can_be_read_between_steps(env: Any) -> None:
    observation, *_ = env.step([2.0])
    assert np.array_equal(env._get_obs(), observation)
    assert np.array_equal(env._get_obs(), observation)


def test_reward_is_that_of_the_state_before_with_the_clipped_action(env: Any) -> None:
    cosine, sine, velocity = (float(value) for value in env._get_obs())
    _, reward, *_ = env.step([9.0])
    assert reward == pytest.approx(-task.cost(np.arctan2(sine, cosine), velocity, 2.0))


@pytest.mark.parametrize("action", ["left", [np.nan], [1.0, 2.0], None])
def test_a_bad_action_is_refused_and_changes_nothing(env: Any, action: Any) -> None:
    before = env._get_obs()
    with pytest.raises((TypeError, ValueError), match="expected is one number"):
        env.step(action)
    assert np.array_equal(env._get_obs(), before)


def test_a_closed_environment_says_so(env: Any) -> None:
    env.close()
    env.close()
    env.render()
    with pytest.raises(errors.ClosedError, match="make a new one"):
        env.step([0.0])


def test_simulated_resets_are_random_and_seeds_repeat_them() -> None:
    env = gym.make("raaspendulum-v0")
    assert env.seed(7) == [7]
    first = env.reset()
    assert not np.array_equal(first, env.reset())
    env.seed(7)
    assert np.array_equal(first, env.reset())
    assert np.array_equal(first, env.reset(seed=7))


def test_render_without_a_display_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    env = gym.make("raaspendulum-v0")
    assert env.render() is None
    assert env.render(mode="human") is None


def test_render_gives_a_picture_where_one_is_asked_for() -> None:
    for picture in (
        gym.make("raaspendulum-v0").render(mode="rgb_array"),
        gym.make("raaspendulum-v0", render_mode="rgb_array").render(),
    ):
        assert picture.shape == (400, 400, 3)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_simulated_environment_can_be_copied(copied: Any) -> None:
    env = gym.make("raaspendulum-v0")
    env.step([2.0])
    other = copied(env)
    assert np.array_equal(env.step([1.0])[0], other.step([1.0])[0])
    other.step([1.0])
    assert not np.array_equal(env._get_obs(), other._get_obs())


def test_a_robot_file_can_be_named(tmp_path: Path) -> None:
    packaged = Path(gym_raas.parameters.PACKAGED).read_text()
    (tmp_path / "robot.yaml").write_text(packaged.replace("action: 2.0", "action: 1.0"))
    env = gym.make("raaspendulum-v0", robot=str(tmp_path / "robot.yaml"))
    assert env.action_space.high[0] == 1.0


def test_each_environment_of_a_robot_that_is_refused_names_the_reason(
    gateway: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAAS_ROBOT", gateway.address)
    env = gym.make("raaspendulum-v0")
    gateway.refuse = [gym_raas.wire.Refusal.OVER]
    with pytest.raises(errors.SessionOver, match="refused on cue"):
        env.step([0.0])
    env.close()
