"""Which constants does the pendulum's motion have? One number each, as a robot file states them."""

from __future__ import annotations

from dataclasses import dataclass, field

from gym_raas.declared import bounded


@dataclass(frozen=True)
class Model:
    """Constants of theta'' = w2 sin(theta) + drive - damping * theta' - coulomb * sign(theta').

    Everything is per unit of inertia (rad/s^2 and 1/s); the last five are those of `gym_raas.motor`. Source: fit to
    recordings of a real unit.
    """

    gravity_rad_s2: float = field(metadata=bounded(1.0, 500.0))
    viscous_per_s: float = field(metadata=bounded(0.0, 20.0))
    coulomb_rad_s2: float = field(metadata=bounded(0.0, 50.0))
    back_emf_per_s: float = field(metadata=bounded(0.0, 50.0))
    brake_per_s: float = field(metadata=bounded(0.0, 50.0))
    gain_rad_s2_per_command: float = field(metadata=bounded(1e-4, 10.0))
    dead_zone_command: float = field(metadata=bounded(0.0, 900.0))
