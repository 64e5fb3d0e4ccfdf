"""What is the task? Spaces, observation and cost of the pendulum, on plain floats.

Angle 0 is upright, pi hanging. The cost is that of the classic Pendulum environment: angle^2 + 0.1 velocity^2 +
0.001 action^2 with the angle normalised to [-pi, pi), from the state before the step; reward = -cost.
Simulation, robot client and the motor loop's records all use these functions, so they can't disagree.
"""

from __future__ import annotations

import math
from typing import Final

DT_S: Final = 0.05
#: Bound of the observation space; velocities beyond it are clipped in the observation only.
MAX_SPEED_RAD_S: Final = 20.0
MAX_ACTION: Final = 2.0
#: An episode of the standard task; see `gym_raas.standard`.
EPISODE_STEPS: Final = 400


def normalised(angle_rad: float) -> float:
    """The same angle in [-pi, pi), rad."""
    return (angle_rad + math.pi) % (2.0 * math.pi) - math.pi


def observation(angle_rad: float, velocity_rad_s: float) -> tuple[float, float, float]:
    """(cos angle, sin angle, velocity clipped to the space), shape (3,)."""
    if not -MAX_SPEED_RAD_S <= velocity_rad_s <= MAX_SPEED_RAD_S:
        velocity_rad_s = MAX_SPEED_RAD_S if velocity_rad_s > 0.0 else -MAX_SPEED_RAD_S
    return math.cos(angle_rad), math.sin(angle_rad), velocity_rad_s


def cost(angle_rad: float, velocity_rad_s: float, action: float) -> float:
    """Cost of a step that starts in this state with this (clipped) action; never negative."""
    angle_rad = normalised(angle_rad)
    return angle_rad * angle_rad + 0.1 * velocity_rad_s * velocity_rad_s + 0.001 * action * action
