import gym
import gym_raas

env = gym.make("raaspendulum-v0")
env.reset()
for _ in range(300):
    env.render()
    env.step(env.action_space.sample())
env.close()
