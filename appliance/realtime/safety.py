"""What reaches the motor at most? The robot's limits, applied after every policy, in this one place.

They clamp and flag; they are no faults. The simulation applies the same functions, so a program meets the same robot.
"""

from __future__ import annotations

from typing import NamedTuple

from gym_raas import actuator
from gym_raas.kinds.known import KINDS
from gym_raas.parameters import Robot
from gym_raas.wire import Flag


class Drive(NamedTuple):
    """What the motor does: the action within its limit, the command that reaches the bridge (None: off), and flags."""

    action: float
    command: float | None
    flags: int


OFF = Drive(0.0, None, 0)


class Safety:
    """The limits of one robot."""

    def __init__(self, robot: Robot) -> None:
        self._limits = robot.limits
        self._range_rad = KINDS[robot.kind].range_rad(robot.model)
        self._actuator = actuator.Actuator(robot)

    def limited(self, wished_action: float | None, velocity_rad_s: float, angle_rad: float | None) -> Drive:
        """Clamp an action (None: off), and take away drive in the direction of motion beyond the speed limit.

        Where the angle is known, drive outwards beyond the kind's range goes, too.
        """
        if wished_action is None:
            return OFF
        action, command, clamped = self._actuator.bridge_command(wished_action)
        allowed = actuator.within_speed(command, velocity_rad_s, self._limits)
        flags = (Flag.CLAMPED_ACTION if clamped else 0) | (Flag.OVER_SPEED if allowed.over_speed else 0)
        command = allowed.command
        if angle_rad is not None and actuator.leads_out(command, angle_rad, self._range_rad):
            command, flags = 0.0, flags | Flag.END_ZONE
        return Drive(action, command, int(flags))
