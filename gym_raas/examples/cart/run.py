"""Drives a cart from its mark to the middle of its rail: a spring and a damper, as a first controller."""

import gymnasium
import numpy as np

import gym_raas

with gymnasium.make("raascart-v1") as env:
    (position_m, velocity_m_s), _ = env.reset()
    print(f"starts at {100.0 * position_m:.1f} cm")
    for _ in range(60):
        action = np.clip(-60.0 * position_m - 4.0 * velocity_m_s, -2.0, 2.0)
        (position_m, velocity_m_s), *_ = env.step([action])
    print(f"in the middle, but for {100.0 * position_m:.1f} cm" if abs(position_m) < 0.02 else "on the way")
