"""The examples run as they stand, and the swing-up balances whatever the robot's details are."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import math
import os
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import gymnasium
import numpy as np
import pytest

import gym_raas
from gym_raas import task
from gym_raas.actuator import Actuator
from gym_raas.model import Model
from gym_raas.parameters import Robot, load_robot
from gym_raas.physics import Pendulum

EXAMPLES = Path(gym_raas.__file__).parent / "examples"
FITTED = ("gravity_rad_s2", "coulomb_rad_s2", "back_emf_per_s", "gain_rad_s2_per_command", "dead_zone_command")


def run(name: str) -> str:
    clean = {key: value for key, value in os.environ.items() if "DISPLAY" not in key}
    done = subprocess.run([sys.executable, "run.py"], cwd=EXAMPLES / name, env=clean, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / name / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_random_runs() -> None:
    assert "20.0 s" in run("random").splitlines()[-1]


def test_swing_up_ends_upright() -> None:
    last = run("swing_up").splitlines()[-1]
    assert re.search(r"upright for (1\d|20)\.", last), last  # all 20 s where it starts upright


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.iterdir() if (path / "run.py").exists()))
def test_an_example_says_in_a_few_lines_what_it_is(name: str) -> None:
    assert 3 <= len((EXAMPLES / name / "README.md").read_text().splitlines()) <= 8


def drawn(model: Model, rng: random.Random) -> Model:
    """A robot that differs from the packaged one by up to 5 % in each fitted constant."""
    return dataclasses.replace(model, **{name: getattr(model, name) * rng.uniform(0.95, 1.05) for name in FITTED})


def upright_since_s(
    controller: object, robot: Robot, start: tuple[float, float], counts: int, delay_steps: float, rng: random.Random
) -> float:
    """When the arm came up for good, in 20 s of a robot that measures in counts and acts late."""
    assert callable(controller)
    pendulum, actuator = Pendulum(robot.model, speed_limit_rad_s=robot.limits.speed_rad_s), Actuator(robot)
    state, before, since_s = start, 0.0, math.inf
    late_s = delay_steps * task.DT_S
    count_rad = 2.0 * math.pi / counts
    for step in range(400):
        angle = math.pi + math.floor((state[0] - math.pi) / count_rad) * count_rad
        velocity = state[1] + rng.uniform(-0.2, 0.2) if abs(state[1]) > 0.2 else 0.0
        action = controller(np.array(task.observation(angle, velocity), np.float32))
        _, command, _ = actuator.bridge_command(action)
        state = pendulum.step(state, before, late_s)[:2]
        state = pendulum.step(state, command, task.DT_S - late_s)[:2]
        before = command
        if math.cos(state[0]) < 0.95:
            since_s = math.inf
        elif since_s == math.inf:
            since_s = step * task.DT_S
    return since_s


@pytest.mark.parametrize("counts", [445, 480])
@pytest.mark.parametrize("delay_steps", [0.0, 0.5, 1.0])
def test_swing_up_balances_from_anywhere_within_five_seconds(counts: int, delay_steps: float) -> None:
    example, packaged = load("swing_up"), load_robot()
    rng = random.Random(counts)
    starts = [(math.pi, 0.0)] + [(rng.uniform(-math.pi, math.pi), rng.uniform(-1.0, 1.0)) for _ in range(9)]
    times_s = []
    for index, start in enumerate(starts):
        model = packaged.model if index < 5 else drawn(packaged.model, rng)
        robot = dataclasses.replace(packaged, model=model)
        times_s.append(upright_since_s(example.Controller(), robot, start, counts, delay_steps, rng))
    assert max(times_s) <= 5.0


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ModuleType, ModuleType]]:
    """policy.py and train.py, whose imports are found as where somebody runs them."""
    monkeypatch.syspath_prepend(str(EXAMPLES / "trained"))
    yield importlib.import_module("policy"), importlib.import_module("train")
    for name in ("policy", "train"):
        del sys.modules[name]


@pytest.mark.parametrize("imperfections", ["none", "measured"])
def test_the_trained_policy_balances_twenty_pendulums_within_five_seconds(
    trained: tuple[ModuleType, ModuleType], imperfections: str
) -> None:
    policy, _ = trained
    weights = np.loadtxt(EXAMPLES / "trained" / "weights.txt")[None]
    assert weights.shape == (1, policy.SIZE)
    env = gymnasium.make("raaspendulum-v1", robot=load_robot(), imperfections=imperfections)
    for seed in range(20):
        seen, _ = env.reset(seed=seed, options={"start": "hanging"})
        last, heights = np.zeros((1, 1)), []
        for _ in range(400):
            last = policy.actions_of(weights, seen[None, None], last)
            seen, *_ = env.step(last[0])
            heights.append(seen[0])
        assert min(heights[100:]) > 0.95, f"start {seed}"


def test_training_repeats_itself_with_the_same_seed(trained: tuple[ModuleType, ModuleType]) -> None:
    _, train = trained
    weights = train.train(2, seed=3, steps=10)
    assert np.array_equal(weights, train.train(2, seed=3, steps=10))
    assert not np.array_equal(weights, train.train(2, seed=4, steps=10))
