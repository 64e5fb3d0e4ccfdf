from __future__ import annotations

import copy
import dataclasses
import math
import pickle

import gymnasium
import numpy as np
import pytest

import gym_raas  # noqa: F401 - registers the environments
from gym_raas import imperfections
from gym_raas.imperfect import ImperfectPlant
from gym_raas.imperfections import Imperfections
from gym_raas.parameters import Robot, load_robot
from gym_raas.simulation import SimulatedPlant

ROBOT = load_robot()
ACTIONS = np.random.default_rng(1).uniform(-2.0, 2.0, 200).tolist()


def angles(plant: SimulatedPlant | ImperfectPlant) -> np.ndarray:
    return np.array([plant.step(action).angle_rad for action in ACTIONS])


def test_all_off_is_the_plain_simulation() -> None:
    plain, off = SimulatedPlant(ROBOT), ImperfectPlant(ROBOT, Imperfections())
    assert np.allclose(angles(plain), angles(off), atol=1e-6)


def test_measured_is_all_of_them_as_the_robots_file_tells() -> None:
    late = dataclasses.replace(ROBOT, fitted={**ROBOT.fitted, "delay_s": 0.0041})
    found = Imperfections.measured(late)
    assert found.delay_s == 0.0041
    assert found.encoder
    assert found.randomise == 1.0
    assert min(found.velocity_window_s, found.jitter_s) > 0.0
    assert Imperfections.measured(dataclasses.replace(ROBOT, fitted={})).randomise == 0.0


def test_the_encoder_tells_whole_counts() -> None:
    plant = ImperfectPlant(ROBOT, Imperfections(encoder=True))
    counts = (angles(plant) - math.pi) / ROBOT.encoder.rad_per_count
    assert np.allclose(counts, np.rint(counts), atol=1e-6)
    assert np.ptp(counts) > 10


def test_a_delayed_command_acts_later() -> None:
    prompt, late = ImperfectPlant(ROBOT, Imperfections()), ImperfectPlant(ROBOT, Imperfections(delay_s=0.02))
    first = prompt.step(2.0).angle_rad - math.pi, late.step(2.0).angle_rad - math.pi
    assert first[1] == pytest.approx(first[0] * (30 / 50) ** 2, rel=0.1)


def test_episodes_differ_as_much_as_the_fit_is_unsure_and_as_it_correlates() -> None:
    rng = np.random.default_rng(3)
    drawn = [imperfections.drawn(ROBOT, 1.0, rng) for _ in range(500)]
    names = ROBOT.fitted["parameters"]
    sd = dict(zip(names, ROBOT.fitted["sd"], strict=True))
    gravity = [model.gravity_rad_s2 for model in drawn]
    assert np.std(gravity) == pytest.approx(sd["gravity_rad_s2"], rel=0.15)
    coulomb, viscous = ([getattr(model, name) for model in drawn] for name in ("coulomb_rad_s2", "viscous_per_s"))
    assert np.corrcoef(coulomb, viscous)[0, 1] < -0.8
    assert min(viscous) >= 0.0


def test_the_environment_takes_all_off_or_all_as_measured_by_one_word_and_keeps_its_seed() -> None:
    runs = []
    for seed in (7, 7, 8):
        env = gymnasium.make("raaspendulum-v1", imperfections="measured", robot=ROBOT)
        env.reset(seed=seed)
        runs.append(np.array([env.step(np.array([action], np.float32))[0] for action in ACTIONS]))
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_an_imperfect_environment_copies_and_pickles() -> None:
    env = gymnasium.make("raaspendulum-v1", imperfections="measured").unwrapped
    env.reset(seed=1)
    env.step(np.array([1.0], np.float32))
    others = [copy.deepcopy(env), pickle.loads(pickle.dumps(env))]
    expected = env.step(np.array([2.0], np.float32))[0]
    for other in others:
        assert np.array_equal(other.step(np.array([2.0], np.float32))[0], expected)


@pytest.mark.parametrize("wrong", ["all", 1.5, None])
def test_another_word_is_refused(wrong: object) -> None:
    with pytest.raises((ValueError, TypeError), match="imperfections"):
        gymnasium.make("raaspendulum-v1", imperfections=wrong)


@pytest.mark.parametrize("name", ["delay_s", "jitter_s", "velocity_window_s", "randomise"])
@pytest.mark.parametrize("value", [-0.1, math.nan, 99.0])
def test_an_impossible_size_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} .* expected is a number from 0"):
        Imperfections(**{name: value})


@pytest.mark.parametrize(
    "fitted",
    [{}, {"parameters": ["gravity_rad_s2"]}, {"parameters": ["gravity_rad_s2"], "sd": ["x"], "correlation": [[1]]},
     {"parameters": ["gravity_rad_s2"], "sd": [-1.0], "correlation": [[1.0]]},
     {"parameters": ["gravity_rad_s2"], "sd": [1.0, 2.0], "correlation": [[1.0]]}],
)  # fmt: skip
def test_a_robot_without_sensible_uncertainties_is_not_randomised(fitted: dict[str, object]) -> None:
    robot: Robot = dataclasses.replace(ROBOT, fitted=fitted)
    with pytest.raises(ValueError, match="no fitted uncertainties"):
        imperfections.drawn(robot, 1.0, np.random.default_rng(1))
