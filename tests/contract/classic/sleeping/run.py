# Moves once a second, as one does when one watches the robot and thinks.
import time

import gym
import gym_raas

env = gym.make("raaspendulum-v0")
env.reset()
for u in [2, -2, 1, -1, 0]:
    observation, reward, done, info = env.step([u])
    print(u, observation, reward)
    time.sleep(1)
env.step([0])
env.close()
