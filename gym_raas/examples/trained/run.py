"""Drive the pendulum for 20 seconds with a policy that was trained in the simulation; see train.py."""

from pathlib import Path

import gym_raas
import gymnasium
import numpy as np
from policy import actions_of

weights = np.loadtxt(Path(__file__).with_name("weights.txt"))[None]


def main():
    env = gymnasium.make("raaspendulum-v1")
    observation, _ = env.reset()
    last, total, upright = np.zeros((1, 1)), 0.0, 0
    for step in range(400):
        last = actions_of(weights, observation[None, None], last)
        observation, reward, *_ = env.step(last[0])
        total += reward
        upright = upright + 1 if observation[0] > 0.95 else 0
        if step % 20 == 19:
            state = f"upright for {upright * 0.05:.1f} s" if upright else "swinging up"
            print(f"{(step + 1) * 0.05:4.1f} s   return {total:8.1f}   {state}", flush=True)
    env.close()


if __name__ == "__main__":
    main()
