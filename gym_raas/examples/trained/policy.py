"""A policy of 113 numbers: a network with one hidden layer, from what is seen to an action."""

import numpy as np

HIDDEN = 16
INPUTS = 5  # cos, sin, velocity, velocity times the energy that is missing, the last action
SIZE = HIDDEN * (INPUTS + 1) + HIDDEN + 1
SPEED_RAD_S = 8.0
GRAVITY_RAD_S2 = 29.6
MAX_ACTION = 2.0
DEAD_ZONE = 0.48  # smaller actions don't move the arm


def actions_of(weights, observations, last):
    """Actions of many policies for as many pendulums each: (n, SIZE), (n, m, 3), (n, m) -> (n, m)."""
    n = len(weights)
    cosine, sine, velocity = np.moveaxis(observations, 2, 0)
    missing = 0.5 * (1.0 - cosine) - velocity**2 / (4.0 * GRAVITY_RAD_S2)  # of the energy of standing upright
    speed = velocity / SPEED_RAD_S
    inputs = np.stack([cosine, sine, speed, 4.0 * speed * missing, last / MAX_ACTION, np.ones_like(last)], axis=2)
    inner = weights[:, : HIDDEN * (INPUTS + 1)].reshape(n, INPUTS + 1, HIDDEN)
    outer = weights[:, HIDDEN * (INPUTS + 1) : -1, None]
    hidden = np.tanh(inputs @ inner)
    push = np.tanh((hidden @ outer)[..., 0] + weights[:, -1:])
    return np.sign(push) * (DEAD_ZONE + (MAX_ACTION - DEAD_ZONE) * np.abs(push))
