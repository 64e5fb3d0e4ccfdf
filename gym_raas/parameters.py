"""What is a robot made of? The typed contents of a `robot.yaml`.

A `Robot` describes one physical unit: the model's fitted constants, encoder, PWM set-up, pins and limits.
The simulation, the twin behind pigpiod's protocol and the motor loop all read the same object, so the numbers
exist once. Configuration errors name file, key, what was given and what would be right.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

PACKAGED = Path(__file__).with_name("robot.yaml")


class RobotFileError(ValueError):
    """A robot file that can't be used; the message says what to change."""


def bounded(low: float, high: float) -> dict[str, tuple[float, float]]:
    """Field metadata: the legal range of a number, both ends included."""
    return {"range": (low, high)}


@dataclass(frozen=True)
class Model:
    """Constants of theta'' = w2 sin(theta) + drive - damping * theta' - coulomb * sign(theta').

    Everything is per unit of inertia (rad/s^2 and 1/s). Source: fit to recordings of a real unit.
    """

    gravity_rad_s2: float = field(metadata=bounded(1.0, 500.0))
    viscous_per_s: float = field(metadata=bounded(0.0, 20.0))
    coulomb_rad_s2: float = field(metadata=bounded(0.0, 50.0))
    back_emf_per_s: float = field(metadata=bounded(0.0, 50.0))
    brake_per_s: float = field(metadata=bounded(0.0, 50.0))
    gain_rad_s2_per_command: float = field(metadata=bounded(1e-4, 10.0))
    dead_zone_command: float = field(metadata=bounded(0.0, 900.0))


@dataclass(frozen=True)
class Encoder:
    """The quadrature encoder: edges of both channels counted in one turn of the arm."""

    counts_per_turn: int = field(metadata=bounded(4, 100_000))

    @property
    def rad_per_count(self) -> float:
        """Angle of one count, rad."""
        return 2.0 * math.pi / self.counts_per_turn


@dataclass(frozen=True)
class Pwm:
    """How the bridge inputs are modulated; a fit only holds for the mode and frequency it was made at."""

    mode: str
    frequency_hz: int = field(metadata=bounded(10, 100_000))
    range: int = field(metadata=bounded(25, 40_000))
    command_per_action: float = field(metadata=bounded(1.0, 40_000.0))


@dataclass(frozen=True)
class Pins:
    """BCM numbers of the GPIO pins."""

    forward: int = field(metadata=bounded(0, 27))
    backward: int = field(metadata=bounded(0, 27))
    encoder_a: int = field(metadata=bounded(0, 27))
    encoder_b: int = field(metadata=bounded(0, 27))


@dataclass(frozen=True)
class Limits:
    """What the robot never exceeds, whatever the policy asks: they clamp and flag, they are no faults."""

    action: float = field(metadata=bounded(0.01, 100.0))
    speed_rad_s: float = field(metadata=bounded(0.5, 200.0))


@dataclass(frozen=True)
class Robot:
    """One robot, as read from its file."""

    schema: int
    kind: str
    name: str
    model: Model
    encoder: Encoder
    pwm: Pwm
    pins: Pins
    limits: Limits
    fitted: dict[str, Any] = field(default_factory=dict)

    @property
    def parameter_hash(self) -> str:
        """First 16 hex digits of SHA-256 over everything but name and provenance: equal hash, equal behaviour."""
        content = dataclasses.asdict(self)
        for key in ("name", "fitted"):
            content.pop(key)
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
