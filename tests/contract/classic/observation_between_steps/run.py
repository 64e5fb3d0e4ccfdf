# Looks at the robot between steps through the underscore method, and at its speed while it swings out.
import time

import gym
import gym_raas

env = gym.make("raaspendulum-v0")
env.reset()
for i in range(40):
    env.step([2.0 if i % 10 < 5 else -2.0])
    c, s, speed = env._get_obs()
    assert abs(c * c + s * s - 1.0) < 1e-5
env.step([0.0])
for i in range(10):
    time.sleep(0.1)
    print("%.2f %.2f %.2f" % tuple(env._get_obs()))
env.close()
