"""Which of pigpiod's commands give the H-bridge its duty? Two pins, of which one at most is ever driven."""

from __future__ import annotations

from appliance.realtime.pigpiod_protocol import HARDWARE_RANGE, MODE_OUTPUT, Cmd, request, words
from gym_raas.parameters import Robot

_UNKNOWN = -1


class Bridge:
    """Remembers what the pins have, so that only changes are sent."""

    def __init__(self, robot: Robot) -> None:
        self._pins = robot.pins
        self._pwm = robot.pwm
        self._duty = {robot.pins.forward: _UNKNOWN, robot.pins.backward: _UNKNOWN}
        self.command: float | None = None

    def change(self, command: float | None) -> list[bytes]:
        """Requests that lead to a signed command, None for off; empty if it is there already."""
        if command == self.command:
            return []
        requests = self._off() if command is None else self._drive(command)
        self.command = command
        return requests

    def _off(self) -> list[bytes]:
        """WRITE is the one command that ends every kind of PWM."""
        self._duty = dict.fromkeys(self._duty, _UNKNOWN)
        return [request(Cmd.WRITE, pin, 0) for pin in self._duty]

    def _drive(self, command: float) -> list[bytes]:
        """The pin that goes to zero first. After OFF both are made outputs again, whoever made them inputs."""
        forward, backward = self._pins.forward, self._pins.backward
        active, idle = (forward, backward) if command >= 0 else (backward, forward)
        outputs = [request(Cmd.MODES, pin, MODE_OUTPUT) for pin in (idle, active)] if self.command is None else []
        return outputs + self._pin(idle, 0.0) + self._pin(active, abs(command))

    def _pin(self, pin: int, command: float) -> list[bytes]:
        hardware = self._pwm.mode == "hardware"
        duty = round(command * HARDWARE_RANGE / self._pwm.range if hardware else command)
        if self._duty[pin] == duty:
            return []
        self._duty[pin] = duty
        if not hardware:
            return [request(Cmd.PWM, pin, duty)]
        if duty == 0:  # both pins share one channel: HP with duty 0 on the idle pin would switch the other off
            return [request(Cmd.WRITE, pin, 0)]
        return [request(Cmd.HP, pin, self._pwm.frequency_hz, words(duty))]
