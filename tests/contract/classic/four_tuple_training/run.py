# A hill climber over short episodes, with the 4-tuple and a reset before each; never closes its environment.
import gym
import gym_raas
import numpy as np

env = gym.make("raaspendulum-v0")
env.seed(1)
np.random.seed(1)
best, best_return = np.zeros(3), -1e9
for episode in range(5):
    weights = best + np.random.randn(3)
    ob = env.reset()
    total = 0
    for t in range(50):
        action = np.clip(weights.dot(ob), env.action_space.low, env.action_space.high)
        ob, reward, done, info = env.step(action)
        total += reward
        if done:
            break
    if total > best_return:
        best, best_return = weights, total
    print("episode %d: return %.1f, best %.1f" % (episode, total, best_return))
