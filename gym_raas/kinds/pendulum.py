"""What is a pendulum? The reference: an arm on the shaft, hanging at rest, to be swung up and balanced.

Like gym's Pendulum, a positive angle turns the arm to the left of upright and a positive action pushes that way
(counter-clockwise). In pictures the axle is the centre and the arm has length 1.
"""

from __future__ import annotations

import math
from typing import Final

from gym_raas import task
from gym_raas.kinds.kind import Kind, Mechanism, Scale, Task
from gym_raas.marks import (
    BODY,
    BODY_LIGHT,
    DIAL,
    EFFORT,
    HUB,
    PAPER,
    SHADOW,
    TARGET,
    TICK,
    TIP,
    Arc,
    Bar,
    Disc,
    Mark,
    Wedge,
)
from gym_raas.model import Model
from gym_raas.physics import HANGING, Pendulum

_AXLE: Final = (0.0, 0.0)


def _range_rad(_: Model) -> float:
    """It may turn as far as it likes."""
    return math.inf


def _limited(model: Model, speed_limit_rad_s: float) -> Mechanism:
    return Pendulum(model, speed_limit_rad_s=speed_limit_rad_s)


def _ticks() -> tuple[Mark, ...]:
    marks = []
    for index in range(36):
        turn = math.radians(10 * index)
        x, y = -math.sin(turn), math.cos(turn)
        inner, width = (1.2, 0.009) if index % 3 == 0 else (1.235, 0.005)
        marks.append(Mark(Bar((x * inner, y * inner), (x * 1.265, y * 1.265), width), TICK))
    return tuple(marks)


def sketch(angle_rad: float, effort: float) -> tuple[Mark, ...]:
    """Arm, hub and the effort's arrow."""
    tip = (-math.sin(angle_rad), math.cos(angle_rad))
    return (
        Mark(Bar((0.03, -0.04), (tip[0] + 0.03, tip[1] - 0.04), 0.075), SHADOW, 0.18, 0.08),
        Mark(Bar(_AXLE, tip, 0.07), BODY),
        Mark(Bar(_AXLE, tip, 0.028), BODY_LIGHT, 0.8, 0.03),
        Mark(Disc(tip, 0.115), TIP),
        Mark(Disc((tip[0] - 0.03, tip[1] + 0.035), 0.03), PAPER, 0.45, 0.04),
        *(_arrow(effort) if abs(effort) > 0.01 else ()),
        Mark(Disc(_AXLE, 0.12), HUB),
        Mark(Disc(_AXLE, 0.045), DIAL),
    )


def _arrow(effort: float) -> tuple[Mark, Mark]:
    """An arc around the axle, as long as the effort is big, with an arrow head at its end."""
    radius, end = 0.34, 2.4 * effort  # from straight up, counter-clockwise is positive
    at = (-math.sin(end), math.cos(end))
    ahead = math.copysign(0.15, effort)
    head = Wedge(
        (radius * at[0] - ahead * at[1], radius * at[1] + ahead * at[0]),
        (at[0] * (radius - 0.085), at[1] * (radius - 0.085)),
        (at[0] * (radius + 0.085), at[1] * (radius + 0.085)),
    )
    return Mark(Arc(radius, end, 0.026), EFFORT), Mark(head, EFFORT)


PENDULUM: Final = Kind(
    name="pendulum",
    noun="pendulum",
    file="robot.yaml",
    model=Model,
    task=Task(
        dt_s=task.DT_S,
        episode_steps=task.EPISODE_STEPS,
        columns=("cos_angle", "sin_angle", "velocity_rad_s"),
        highest=(1.0, 1.0, task.MAX_SPEED_RAD_S),
        starts=(math.pi, 1.0),
        observation=task.observation,
        cost=task.cost,
    ),
    home_rad=HANGING.angle_rad,
    home_name="hanging",
    range_rad=_range_rad,
    motion=Pendulum,
    limited=_limited,
    position=Scale("angle", "°", math.degrees(1.0), 1),
    speed=Scale("angular velocity", "rad/s", 1.0, 2),
    backdrop=(
        Mark(Disc(_AXLE, 1.28), DIAL),
        Mark(Disc(_AXLE, 1.2), PAPER),
        *_ticks(),
        Mark(Disc((0.0, 1.32), 0.035), TARGET),
    ),
    sketch=sketch,
    vector="gym_raas.vector:PendulumVector",
)
