"""Speed against error over the length of a substep: the curve on which the package's default stands."""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gym_raas.parameters import load_robot
from gym_raas.physics import SUBSTEP_S, Pendulum, State
from tests.gym_raas import reference

SUBSTEPS_S = (0.001, 0.0025, 0.005, 0.01, SUBSTEP_S, 0.025, 0.05)
_DT_S = 0.05
_AMPLITUDES = (0.2, 1.0, 2.0, 3.0)
_STEPS = 200
_ROUNDS = 5


@dataclass(frozen=True)
class Point:
    """One length of substep: the worst error in 10 s (free and kicked, four amplitudes), and env steps per second."""

    substep_s: float
    worst_error_rad: float
    steps_hz: float


def curve() -> list[Point]:
    """All points, the errors against an event-located DOP853."""
    model, kicked = load_robot().model, _kicked()
    cases = [
        (State(math.pi - amplitude, 0.0), commands, powered)
        for amplitude, (commands, powered) in itertools.product(_AMPLITUDES, (([0.0] * _STEPS, False), (kicked, True)))
    ]
    exact = [
        reference.motion(model, start, commands, _DT_S, powered=powered)[:, 0] for start, commands, powered in cases
    ]
    found = []
    for substep_s in SUBSTEPS_S:
        pendulum = Pendulum(model, substep_s=substep_s)
        worst = max(
            float(np.abs(_angles(pendulum, *case) - angles).max()) for case, angles in zip(cases, exact, strict=True)
        )
        found.append(Point(substep_s, worst, max(_rate_hz(pendulum, kicked) for _ in range(_ROUNDS))))
    return found


def _kicked() -> list[float]:
    rng = random.Random(2)
    kicks = [rng.choice((-480.0, 480.0)) for _ in range(_STEPS // 10)]
    return list(itertools.chain.from_iterable([kick] * 10 for kick in kicks))


def _angles(pendulum: Pendulum, state: State, commands: Sequence[float], powered: bool) -> np.ndarray:
    angles = []
    for command in commands:
        state = pendulum.advance(state, command, _DT_S, powered=powered)
        angles.append(state.angle_rad)
    return np.array(angles)


def _rate_hz(pendulum: Pendulum, commands: Sequence[float]) -> float:
    state: tuple[float, float] = (math.pi, 0.0)
    start_s = time.perf_counter()
    for command in itertools.islice(itertools.cycle(commands), 4000):
        angle, velocity, _ = pendulum.step(state, command, _DT_S)
        state = angle, velocity
    return 4000 / (time.perf_counter() - start_s)
