"""What does the motor get for an action? From action to the signed command that really reaches the bridge.

An action u becomes the integer command int(u * command_per_action), and pigpio's PWM then rounds it down to the steps
that its mode and frequency offer. Simulation, twin and motor loop share these functions, so a policy that was
tuned against the simulation meets the same coarse actuator on the robot.

Source of the tables: pigpio's documentation of PFS and PRRG at the default sample period of 5 us.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final, NamedTuple

from gym_raas.parameters import Limits, Pwm, Robot

#: Frequencies of software PWM (Hz) that pigpio offers at 5 us, and the steps between off and fully on at each.
SOFTWARE_STEPS: Final = {
    8000: 25, 4000: 50, 2000: 100, 1600: 125, 1000: 200, 800: 250, 500: 400, 400: 500, 320: 625, 250: 800,
    200: 1000, 160: 1250, 100: 2000, 80: 2500, 50: 4000, 40: 5000, 20: 10_000, 10: 20_000,
}  # fmt: skip
#: Duty resolution of hardware PWM's command (HP).
HARDWARE_STEPS: Final = 1_000_000


class Clipped(NamedTuple):
    """An action within the limits, and whether it had to be changed."""

    action: float
    changed: bool


class Allowed(NamedTuple):
    """A command after the over-speed limit, and whether the limit took it away."""

    command: float
    over_speed: bool


def software_frequency_hz(asked_hz: int) -> int:
    """The frequency that pigpio takes instead of `asked_hz`: the nearest of its table, the higher one on a tie."""
    return min(SOFTWARE_STEPS, key=lambda offered_hz: (abs(offered_hz - asked_hz), -offered_hz))


def steps(pwm: Pwm) -> int:
    """How many steps this PWM has between off and fully on."""
    if pwm.mode == "hardware":
        return HARDWARE_STEPS
    return SOFTWARE_STEPS[software_frequency_hz(pwm.frequency_hz)]


def clip(action: float, limits: Limits) -> Clipped:
    """The finite `action` within [-limits.action, limits.action]."""
    if action > limits.action:
        return Clipped(limits.action, True)
    if action < -limits.action:
        return Clipped(-limits.action, True)
    return Clipped(action, False)


def command(action: float, pwm: Pwm) -> int:
    """The signed integer command for an action within the limits, truncated towards zero as the original did."""
    return int(action * pwm.command_per_action)


def quantised(wanted: float, pwm: Pwm) -> float:
    """The command that reaches the bridge: |wanted| rounded down to the PWM's steps, in units of `pwm.range`."""
    resolution = steps(pwm)
    whole_steps = int(abs(wanted) * resolution / pwm.range)
    magnitude = min(whole_steps, resolution) * pwm.range / resolution
    return magnitude if wanted >= 0.0 else 0.0 - magnitude  # never the negative zero


def within_speed(wanted: float, velocity_rad_s: float, limits: Limits) -> Allowed:
    """Remove drive in the direction of motion beyond the speed limit; braking and driving back stay allowed."""
    too_fast = abs(velocity_rad_s) > limits.speed_rad_s and wanted * velocity_rad_s > 0.0
    return Allowed(0.0, True) if too_fast else Allowed(wanted, False)


def leads_out(wanted: float, angle_rad: float, range_rad: float) -> bool:
    """Whether a command drives further from 0 than a kind's range allows (`gym_raas.kinds.kind.Kind.range_rad`)."""
    return abs(angle_rad) > range_rad and wanted * angle_rad > 0.0


class Actuator:
    """The same as a table, for loops that ask often: `bridge_command(action)` of one robot."""

    def __init__(self, robot: Robot) -> None:
        self._limit = robot.limits.action
        self._per_action = robot.pwm.command_per_action
        top = command(robot.limits.action, robot.pwm)
        self._table = [quantised(value, robot.pwm) for value in range(top + 1)]

    @property
    def table(self) -> tuple[float, ...]:
        """The command at the bridge for each wanted command from 0 to the limit's."""
        return tuple(self._table)

    def bridge_command(self, action: float) -> tuple[float, float, bool]:
        """(clipped action, signed command at the bridge, whether the action was clipped) of a finite action."""
        limit = self._limit
        clipped = action if -limit <= action <= limit else limit if action > 0.0 else -limit
        wanted = int(clipped * self._per_action)
        at_bridge = self._table[wanted] if wanted >= 0 else 0.0 - self._table[-wanted]
        return clipped, at_bridge, clipped != action

    def action_for(self, wanted_command: float) -> float:
        """The smallest action (in magnitude) whose command at the bridge is at least `wanted_command`, within the limit."""
        index = min(bisect_left(self._table, abs(wanted_command)), len(self._table) - 1)
        action = min(index / self._per_action + 0.5 / self._per_action, self._limit)
        return action if wanted_command >= 0.0 else -action
