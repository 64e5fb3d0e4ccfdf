"""Random actions for 20 seconds: the smallest program that moves the pendulum."""

import gym
import gym_raas  # makes the environment known to gym

env = gym.make("raaspendulum-v0")
observation = env.reset()
total = 0.0
for step in range(400):
    env.render()
    observation, reward, done, info = env.step(env.action_space.sample())
    total += reward
    if step % 40 == 39:
        print(f"{(step + 1) * 0.05:4.1f} s   cos {observation[0]:+.2f}   return {total:8.1f}", flush=True)
env.close()
