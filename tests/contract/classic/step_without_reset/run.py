# Never resets, renders into nothing, asks the environment about itself.
import gym
import gym_raas

env = gym.make("raaspendulum-v0")
print(env.action_space, env.observation_space)
high = env.action_space.high[0]
total_cost = 0.0
for i in range(100):
    ob, r, d, info = env.step([high if (i // 8) % 2 else -high])
    total_cost -= r
    env.render()
print("cost", total_cost)
env.unwrapped.close()
