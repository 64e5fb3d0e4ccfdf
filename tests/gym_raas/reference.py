"""The pendulum's motion by scipy's DOP853 with located events: slow, exact, and written apart from the package."""

from __future__ import annotations

import math

import numpy as np
from scipy.integrate import solve_ivp

from gym_raas.model import Model


def drive(model: Model, command: float) -> float:
    size = max(abs(command) - model.dead_zone_command, 0.0) * model.gain_rad_s2_per_command
    return math.copysign(size, command)


def damping(model: Model, command: float, *, powered: bool) -> float:
    extra = (
        (model.back_emf_per_s * (abs(command) / 1000.0) ** 0.5 if command else model.brake_per_s) if powered else 0.0
    )
    return model.viscous_per_s + extra


def motion(
    model: Model, start: tuple[float, float], commands: list[float], dt_s: float, *, powered: bool = True
) -> np.ndarray:
    """States after each command, shape (len(commands), 2)."""
    state = np.array(start)
    states = []
    for command in commands:
        push = drive(model, command) if powered else 0.0
        state = _one(model, state, push, damping(model, command, powered=powered), dt_s)
        states.append(state)
    return np.array(states)


def _one(model: Model, state: np.ndarray, push: float, loss: float, dt_s: float) -> np.ndarray:
    now_s = 0.0
    while True:
        if state[1] == 0.0:
            pull = model.gravity_rad_s2 * math.sin(state[0]) + push
            if abs(pull) <= model.coulomb_rad_s2:
                return state
            sign = math.copysign(1.0, pull)
        else:
            sign = math.copysign(1.0, state[1])

        def slope(_t: float, y: np.ndarray, sign: float = sign) -> tuple[float, float]:
            return y[1], model.gravity_rad_s2 * math.sin(y[0]) + push - loss * y[1] - sign * model.coulomb_rad_s2

        def reversal(_t: float, y: np.ndarray) -> float:
            return y[1]

        reversal.terminal, reversal.direction = True, -sign  # type: ignore[attr-defined]
        found = solve_ivp(slope, (now_s, dt_s), state, "DOP853", rtol=1e-12, atol=1e-13, events=reversal)
        state = found.y[:, -1].copy()
        if found.status != 1:
            return state
        now_s, state[1] = found.t[-1], 0.0
