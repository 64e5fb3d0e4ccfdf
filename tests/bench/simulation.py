"""Simulated steps per second against gymnasium's Pendulum-v1: the same random actions, in turn, in one run."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import gymnasium
import numpy as np

import gym_raas  # noqa: F401 - registers the environments

try:
    import envpool
except ImportError:  # it has no wheels for a Pi
    envpool = None

STEPS = 20_000
ROUNDS = 9
#: Of the vector environments, and how often all of them step.
MANY = 1024
MANY_STEPS = 100


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


def many(backend: str) -> Speed:
    """MANY environments in one, against as many bare Pendulum-v1, which step one after the other."""
    ours = _vector(backend)
    theirs = gymnasium.make("Pendulum-v1", disable_env_checker=True).unwrapped
    actions = np.random.default_rng(1).uniform(-2.0, 2.0, (STEPS, 1)).astype(np.float32)
    return _medians([(_many_hz(ours), _rate_hz(theirs, actions)) for _ in range(ROUNDS)])


def many_and_envpool() -> Speed | None:
    """MANY environments compiled by numba against EnvPool's Pendulum with one thread; None where EnvPool isn't installed."""
    if envpool is None:
        return None
    ours = _vector("numba")
    theirs = envpool.make("Pendulum-v1", env_type="gymnasium", num_envs=MANY, num_threads=1)
    return _medians([(_many_hz(ours), _many_hz(theirs)) for _ in range(ROUNDS)])


def _vector(backend: str) -> gymnasium.vector.VectorEnv:
    return gymnasium.make_vec("raaspendulum-v1", MANY, vectorization_mode="vector_entry_point", backend=backend)


def _compare(ours: gymnasium.Env, theirs: gymnasium.Env) -> Speed:
    actions = np.random.default_rng(1).uniform(-2.0, 2.0, (STEPS, 1)).astype(np.float32)
    pairs = [(_rate_hz(ours, actions), _rate_hz(theirs, actions)) for _ in range(ROUNDS)]
    return _medians(pairs)


def _medians(pairs: list[tuple[float, float]]) -> Speed:
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


def _many_hz(envs: gymnasium.vector.VectorEnv) -> float:
    """Steps of single environments per second that this process was on a core, with all of its threads."""
    actions = np.random.default_rng(1).uniform(-2.0, 2.0, (MANY_STEPS, MANY, 1)).astype(np.float32)
    envs.reset()
    step = envs.step
    start_s = time.process_time()
    for each in actions:
        step(each)
    return MANY * MANY_STEPS / (time.process_time() - start_s)
