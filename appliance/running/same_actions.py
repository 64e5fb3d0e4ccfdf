"""What would the twin have got for the same actions? The return of recorded episodes, acted out on the simulation.

Open loop, so a pendulum that balanced on the robot may well fall on the twin: the difference says how far the two part,
not how good the program is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from gym_raas import task
from gym_raas.parameters import Robot
from gym_raas.simulation import SimulatedPlant
from gym_raas.standard import Step
from gym_raas.wire import ResetMode


def mean_return(episodes: Sequence[Sequence[Step]], robot: Robot) -> float | None:
    """The mean of the episodes' returns on the twin, each from hanging at rest; None without an episode."""
    if not episodes:
        return None
    plant = SimulatedPlant(robot)
    return math.fsum(_return(episode, plant) for episode in episodes) / len(episodes)


def _return(episode: Sequence[Step], plant: SimulatedPlant) -> float:
    reading, costs = plant.reset(ResetMode.SETTLE), []
    for step in episode:
        action = max(-task.MAX_ACTION, min(task.MAX_ACTION, step.action))
        costs.append(task.cost(reading.angle_rad, reading.velocity_rad_s, action))
        reading = plant.step(action)
    return -math.fsum(costs)
