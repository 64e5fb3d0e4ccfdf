from __future__ import annotations

import copy
import math
import pickle
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.wrappers import FrameStackObservation, RecordEpisodeStatistics, RecordVideo

import gym_raas  # noqa: F401 (makes the environment known to gymnasium)
from gym_raas import task
from gym_raas.modern import ModernRobot
from tests.gym_raas.stand_in import StandIn

#: gymnasium advises a range of [-1, 1]; the task's actions are [-2, 2], as its own Pendulum's are.
ADVICE = ".*symmetric and normalized.* space.*"


@pytest.fixture(params=["simulation", "robot"])
def env(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if request.param == "robot":
        gateway: StandIn = request.getfixturevalue("gateway")
        monkeypatch.setenv("RAAS_ROBOT", gateway.address)
    env = gymnasium.make("raaspendulum-v1")
    yield env
    env.close()


@pytest.mark.parametrize("name", ["raaspendulum-v1", "RaasPendulum-v1"])
def test_gymnasiums_checker_has_nothing_to_say(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ADVICE)
        check_env(gymnasium.make(name).unwrapped)


def test_reset_hangs_and_says_how_long_it_took(env: Any) -> None:
    for _ in range(5):
        env.reset()
        env.step(np.array([2.0], np.float32))
    observation, info = env.reset()
    assert observation == pytest.approx([-1.0, 0.0, 0.0], abs=1e-6)
    assert info["settle_s"] >= 0.0
    assert info["k"] == 0


def test_step_returns_five_and_tells_the_times(env: Any) -> None:
    env.reset()
    observation, reward, terminated, truncated, info = env.step(np.array([1.5], np.float32))
    assert env.observation_space.contains(observation)
    assert type(reward) is float
    assert (terminated, truncated) == (False, False)
    assert info["k"] == 1
    assert info["held_s"] == pytest.approx(0.05)
    assert info["action_delay_s"] < 0.05
    assert info["missed"] == 0


def test_reward_is_that_of_the_state_before(env: Any) -> None:
    observation, _ = env.reset()
    for action in (2.0, -1.0, 0.3):
        angle, velocity = math.atan2(observation[1], observation[0]), float(observation[2])
        observation, reward, *_ = env.step([action])
        assert reward == pytest.approx(-task.cost(angle, velocity, action), abs=1e-4)


def test_an_episode_is_truncated_after_the_standard_tasks_400_steps() -> None:
    env = gymnasium.make("raaspendulum-v1")
    env.reset()
    truncations = [env.step(env.action_space.sample())[3] for _ in range(400)]
    assert truncations == [False] * 399 + [True]


def test_random_starts_are_an_option_of_the_simulation_and_seeded() -> None:
    env = gymnasium.make("raaspendulum-v1")
    first, _ = env.reset(seed=3, options={"start": "random"})
    again, _ = env.reset(seed=3, options={"start": "random"})
    other, _ = env.reset(options={"start": "random"})
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    always, _ = gymnasium.make("raaspendulum-v1", start="random").reset(seed=3)
    assert np.array_equal(first, always)


def test_the_real_robot_cannot_start_anywhere(gateway: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAAS_ROBOT", gateway.address)
    env = gymnasium.make("raaspendulum-v1")
    with pytest.raises(ValueError, match="the real robot always starts 'hanging'"):
        env.reset(options={"start": "random"})
    assert "Reset" not in gateway.kinds()
    env.close()


@pytest.mark.parametrize(
    ("options", "says"),
    [({"start": "upside"}, "expected is 'hanging' or 'random'"), ({"begin": 1}, "known is 'start'")],
)
def test_bad_options_are_named(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        gymnasium.make("raaspendulum-v1").reset(options=options)


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match="expected is 'hanging' or 'random'"):
        ModernRobot(start="upside")
    with pytest.raises(ValueError, match="expected is 'human', 'rgb_array' or None"):
        ModernRobot(render_mode="ascii")


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_vector_environments_step(mode: str) -> None:
    envs = gymnasium.make_vec("raaspendulum-v1", num_envs=3, vectorization_mode=mode)
    observations, _ = envs.reset(seed=1)
    assert observations.shape == (3, 3)
    observations, rewards, *_ = envs.step(np.array([[2.0], [0.0], [-2.0]], np.float32))
    assert observations[0, 2] > 0.0 > observations[2, 2]
    assert rewards.shape == (3,)
    envs.close()


def test_wrappers_of_gymnasium_fit() -> None:
    env = RecordEpisodeStatistics(FrameStackObservation(gymnasium.make("raaspendulum-v1"), 4))
    observation, _ = env.reset(seed=1)
    assert observation.shape == (4, 3)
    for _ in range(400):
        *_, info = env.step(env.action_space.sample())
    assert info["episode"]["l"] == 400
    env.close()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_simulated_environment_can_be_copied(copied: Any) -> None:
    env = gymnasium.make("raaspendulum-v1", render_mode="rgb_array").unwrapped
    env.reset(seed=1, options={"start": "random"})
    env.render()
    other = copied(env)
    assert np.array_equal(env.step([1.0])[0], other.step([1.0])[0])
    assert np.array_equal(env.render(), other.render())


def test_pictures_follow_the_arm() -> None:
    env = gymnasium.make("raaspendulum-v1", render_mode="rgb_array")
    env.reset()
    before = env.render()
    for _ in range(10):
        env.step(np.array([2.0], np.float32))
    after = env.render()
    assert before.shape == (400, 400, 3)
    assert before.dtype == np.uint8
    assert (before != after).any()


@pytest.mark.parametrize(
    ("action", "error", "says"),
    [
        (np.array([math.nan], np.float32), ValueError, r"the action array\(\[nan\].* is not finite; expected is one"),
        ([math.inf], ValueError, r"the action \[inf\] is not finite"),
        ("left", TypeError, "the action 'left' of type str is not numeric; expected is one number"),
        (["2.0"], TypeError, r"the action \['2.0'\] of type list is not numeric"),
        (None, TypeError, "the action None of type NoneType"),
        (np.zeros((1, 1), np.float32), ValueError, r"has the shape \(1, 1\); expected is one number"),
        ([], ValueError, r"has the shape \(0,\)"),
    ],
)
def test_what_is_no_action_is_named_and_never_reaches_the_robot(
    gateway: StandIn, monkeypatch: pytest.MonkeyPatch, action: Any, error: type[Exception], says: str
) -> None:
    monkeypatch.setenv("RAAS_ROBOT", gateway.address)
    env = gymnasium.make("raaspendulum-v1", disable_env_checker=True)
    env.reset()
    with pytest.raises(error, match=says):
        env.step(action)
    assert "Action" not in gateway.kinds()
    env.step([0.5])
    assert gateway.kinds().count("Action") == 1
    env.close()


def test_an_own_time_limit_holds() -> None:
    env = gymnasium.make("raaspendulum-v1", max_episode_steps=3)
    env.reset()
    assert [env.step([1.0])[3] for _ in range(3)] == [False, False, True]


def test_videos_are_recorded(tmp_path: Path) -> None:
    pytest.importorskip("moviepy", reason="gymnasium's RecordVideo needs moviepy")
    env = RecordVideo(gymnasium.make("raaspendulum-v1", render_mode="rgb_array", max_episode_steps=5), str(tmp_path))
    env.reset(seed=1)
    for _ in range(5):
        env.step([1.0])
    env.close()
    assert list(tmp_path.glob("*.mp4"))


def test_stable_baselines3s_checker_has_nothing_to_say() -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker", reason="stable-baselines3 isn't installed")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ADVICE)
        checker.check_env(gymnasium.make("raaspendulum-v1").unwrapped)
