# A two-layer policy in numpy, actions of shape (1,) in float32, a second environment after the first is closed.
import gym
import gym_raas
import numpy as np

rng = np.random.RandomState(0)
w1, w2 = rng.randn(16, 3).astype(np.float32), rng.randn(1, 16).astype(np.float32)


def policy(state):
    return 2 * np.tanh(w2 @ np.tanh(w1 @ state))


for run in range(2):
    env = gym.make("raaspendulum-v0")
    state = env.reset()
    rewards = []
    for _ in range(60):
        state, reward, done, _ = env.step(policy(state))
        rewards.append(reward)
    print("run", run, "mean reward", np.mean(rewards))
    env.close()
