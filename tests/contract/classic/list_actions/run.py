# Actions as lists, tuples, numpy arrays and whole numbers, as everybody does it differently.
import gym
import gym_raas
import numpy as np

env = gym.make("RaasPendulum-v0")
obs = env.reset()
for i in range(25):
    env.step([2.0])
    env.step((-2,))
    env.step(np.array([0.5]))
    obs, reward, done, _ = env.step([np.float32(1)])
    assert len(obs) == 3 and reward <= 0 and not done
print("last observation", list(obs))
env.reset()
