"""Simulated steps per second against gymnasium's Pendulum-v1: the same random actions, in turn, in one run."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import gymnasium
import numpy as np

import gym_raas  # noqa: F401 - registers the environments

STEPS = 20_000
ROUNDS = 9


@dataclass(frozen=True)
class Speed:
    """Medians over the rounds; `ratio` is the median of the rounds' ratios."""

    ours_hz: float
    theirs_hz: float
    ratio: float


def unwrapped() -> Speed:
    """The bare environments."""
    return _compare(
        gymnasium.make("raaspendulum-v1", disable_env_checker=True).unwrapped,
        gymnasium.make("Pendulum-v1", disable_env_checker=True).unwrapped,
    )


def as_made() -> Speed:
    """What `gymnasium.make` returns by default, with its wrappers."""
    return _compare(gymnasium.make("raaspendulum-v1"), gymnasium.make("Pendulum-v1", max_episode_steps=STEPS + 1))


def _compare(ours: gymnasium.Env, theirs: gymnasium.Env) -> Speed:
    actions = np.random.default_rng(1).uniform(-2.0, 2.0, (STEPS, 1)).astype(np.float32)
    pairs = [(_rate_hz(ours, actions), _rate_hz(theirs, actions)) for _ in range(ROUNDS)]
    return Speed(
        statistics.median(pair[0] for pair in pairs),
        statistics.median(pair[1] for pair in pairs),
        statistics.median(a / b for a, b in pairs),
    )


def _rate_hz(env: gymnasium.Env, actions: np.ndarray) -> float:
    env.reset(seed=1)
    step = env.step
    start_s = time.perf_counter()
    for action in actions:
        step(action)
    return len(actions) / (time.perf_counter() - start_s)
