# Full power for 2.5 s each way, several turns of the arm; records everything and resets at the end.
import gym
import gym_raas
import numpy as np

env = gym.make("raaspendulum-v0")
obs, costs, actions = [], [], []
env.reset()
for u in [2, -2, 2, -2]:
    for _ in range(50):
        ob, r, _, _ = env.step([u])
        obs.append(ob)
        costs.append(-r)
        actions.append(u)
obs = np.array(obs)
assert obs.shape == (200, 3)
print("fastest", np.abs(obs[:, 2]).max(), "cost", sum(costs))
env.reset()
