"""What must be said of a kind of robot, so that programs, the simulation and the appliance can tell it from another?

Whatever it is, a kind turns one shaft with one motor and one encoder. Everybody else knows that shaft's angle and
velocity (rad, rad/s) and one action; only the kind knows what they mean. 0 is where the task wants it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from gym_raas.marks import Mark
from gym_raas.physics import State


class Mechanism(Protocol):
    """How a robot moves. It holds constants only; the state goes in and comes out."""

    def advance(self, state: State, command: float, duration_s: float, *, powered: bool = True) -> State:
        """The state `duration_s` later under a constant bridge command; without power neither drive nor brake."""
        ...

    def step(self, state: tuple[float, float], command: float, duration_s: float) -> tuple[float, float, int]:
        """(angle, velocity, the limits that took drive away as `gym_raas.wire.Flag`) after a step with power."""
        ...


@dataclass(frozen=True)
class Task:
    """What a program sees and is to do. One for all robots of a kind, so that returns can be compared.

    columns, highest: name and bound of each number of an observation. starts: angle and velocity within which a random
    episode of the simulation begins, on both sides of 0. observation: of (angle, velocity). cost: of (angle, velocity,
    clipped action) before a step; reward = -cost. All functions stand in a module, so that environments can be pickled.
    """

    dt_s: float
    episode_steps: int
    columns: tuple[str, ...]
    highest: tuple[float, ...]
    starts: tuple[float, float]
    observation: Callable[[float, float], tuple[float, ...]]
    cost: Callable[[float, float, float], float]


@dataclass(frozen=True)
class Scale:
    """How people read a coordinate of the shaft: one rad (or rad/s) is `per_rad` of `unit`, shown with `digits`."""

    label: str
    unit: str
    per_rad: float
    digits: int


@dataclass(frozen=True)
class Kind:
    """One kind of robot.

    name: in robot.yaml, and in the ids `raas<name>-v0` and `-v1`. noun: for sentences. file: the packaged robot of this
    kind, beside this package's modules. model: a dataclass, whose fields state their legal ranges. home_rad, home_name:
    where a robot rests before a job, and the word for it. range_rad: how far from 0 a command may drive outwards. motion: the bare
    mechanism of a model, as the twin moves; limited: the same with the limits, the speed's given, as programs meet it.
    position, speed: for people. backdrop, sketch: a picture, the second of (angle, effort in [-1, 1]). vector: entry point of many
    simulated robots at once; None makes gymnasium step them in turn.
    """

    name: str
    noun: str
    file: str
    model: type
    task: Task
    home_rad: float
    home_name: str
    range_rad: Callable[[Any], float]
    motion: Callable[[Any], Mechanism]
    limited: Callable[[Any, float], Mechanism]
    position: Scale
    speed: Scale
    backdrop: tuple[Mark, ...]
    sketch: Callable[[float, float], tuple[Mark, ...]]
    vector: str | None = None

    @property
    def home(self) -> State:
        """At rest where it rests before a job."""
        return State(self.home_rad, 0.0)
