"""Train the policy of run.py with evolution strategies.

python3 train.py takes minutes, fewer of them with numba (pip install numba).

Each generation tries pairs of opposite changes to the weights, each on pendulums of its own with constants drawn from
the robot's uncertainty, and moves the weights towards what did better. The same seed gives the same weights on the
same machine.
"""

import argparse

import gym_raas
import gymnasium
import numpy as np
from policy import SIZE, actions_of

PAIRS = 32
EACH = 5  # pendulums for each try and each way to start
STEPS = 240
NOISE = 0.1
RATE = 0.06


def praise(seen):
    """What a step is worth: height, and much more for standing still upright, which the task's cost alone hides."""
    cosine, velocity = seen[..., 0], seen[..., 2]
    return cosine + 3.0 * np.exp(-8.0 * (1.0 - cosine) - 0.1 * velocity**2)


def praises(envs, weights, seed, steps):
    """Mean praise of each policy; half of the pendulums start hanging, half anywhere, measured with noise."""
    return sum(_praises(each, weights, seed, steps) for each in envs)


def _praises(envs, weights, seed, steps):
    tries = len(weights)
    rng = np.random.default_rng(seed)
    seen, _ = envs.reset(seed=seed)
    last, total = np.zeros((tries, EACH)), np.zeros((tries, EACH))
    for _ in range(steps):
        observations = seen.reshape(tries, EACH, 3) + rng.normal(0.0, [0.005, 0.005, 0.1], (1, EACH, 3))
        last = actions_of(weights, observations, last)
        seen, *_ = envs.step(last.reshape(-1, 1))
        total += praise(seen).reshape(tries, EACH)
    return total.mean(axis=1)


def train(generations, seed, steps=STEPS):
    """The weights after so many generations, shape (SIZE,)."""
    rng = np.random.default_rng(seed)
    wish = {"vectorization_mode": "vector_entry_point", "robot": gym_raas.load_robot(), "max_episode_steps": steps + 1}
    envs = [
        gymnasium.make_vec("raaspendulum-v1", 2 * PAIRS * EACH, start=start, randomise=1.0, **wish)
        for start in ("hanging", "random")
    ]
    weights = rng.normal(0.0, 0.3, SIZE)
    first, second = np.zeros(SIZE), np.zeros(SIZE)
    for generation in range(1, generations + 1):
        change = rng.normal(0.0, 1.0, (PAIRS, SIZE))
        found = praises(envs, weights + NOISE * np.concatenate([change, -change]), seed + generation, steps)
        ranks = found.argsort().argsort() / (len(found) - 1) - 0.5
        slope = (ranks[:PAIRS] - ranks[PAIRS:]) @ change / PAIRS
        first, second = 0.9 * first + 0.1 * slope, 0.99 * second + 0.01 * slope**2  # Adam
        step = first / (1 - 0.9**generation) / (np.sqrt(second / (1 - 0.99**generation)) + 1e-8)
        weights = weights + RATE * (1.0 - 0.9 * generation / generations) * step
        if generation % 20 == 0:
            print(f"generation {generation:4d}   mean praise {found.mean() / 2:8.1f}", flush=True)
    return weights


if __name__ == "__main__":
    wishes = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    wishes.add_argument("--generations", type=int, default=220)
    wishes.add_argument("--seed", type=int, default=1)
    wishes.add_argument("--out", default="weights.txt")
    given = wishes.parse_args()
    np.savetxt(given.out, train(given.generations, given.seed), fmt="%.6f")
