"""What does the gear motor behind its bridge do to what it turns? Drive and damping, whatever kind of robot it moves.

    drive   = sign(command) * gain * max(|command| - dead zone, 0)
    damping = viscous + (back-emf * sqrt(|command| / 1000) while driven, brake while both bridge inputs are low,
                         neither while unpowered)

The motor's back-EMF damps more, the longer the bridge conducts in each PWM period. The root is what recordings show: it
predicts a command that the fit hasn't seen three to six times better than a constant, with as many parameters.
"""

from __future__ import annotations

from math import copysign, sqrt
from typing import Final, Protocol

#: The command at which back-EMF damping is stated, whatever the PWM's range is.
REFERENCE_COMMAND: Final = 1000.0


class Motor(Protocol):
    """The motor's constants, per unit of inertia of all that it turns, at its shaft."""

    @property
    def viscous_per_s(self) -> float: ...  # noqa: D102
    @property
    def back_emf_per_s(self) -> float: ...  # noqa: D102
    @property
    def brake_per_s(self) -> float: ...  # noqa: D102
    @property
    def gain_rad_s2_per_command(self) -> float: ...  # noqa: D102
    @property
    def dead_zone_command(self) -> float: ...  # noqa: D102


def drive_rad_s2(motor: Motor, command: float) -> float:
    """Acceleration that a signed bridge command gives the shaft."""
    beyond = abs(command) - motor.dead_zone_command
    return copysign(motor.gain_rad_s2_per_command * max(beyond, 0.0), command)


def damping_per_s(motor: Motor, command: float, *, powered: bool = True) -> float:
    """Velocity-proportional damping: the bridge's share grows with the command; most while it brakes."""
    if not powered:
        return motor.viscous_per_s
    if command == 0.0:
        return motor.viscous_per_s + motor.brake_per_s
    return motor.viscous_per_s + motor.back_emf_per_s * sqrt(abs(command) / REFERENCE_COMMAND)
