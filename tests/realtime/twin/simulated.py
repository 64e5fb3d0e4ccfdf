"""A twin without process and clock: a daemon whose time the test turns, and the encoder's counts from its reports."""

from __future__ import annotations

import dataclasses
import struct
from typing import Any

from appliance.realtime.twin.build import build
from appliance.realtime.twin.protocol import Command
from gym_raas.parameters import Robot, load_robot

STREAM = 1
#: (A, B) before and after -> change of the count; None where both channels changed.
STEPS: dict[tuple[int, int], int | None] = {}
ORDER = (0b00, 0b01, 0b11, 0b10)  # bit 0 is A: it leads while the angle grows
for position, levels in enumerate(ORDER):
    STEPS[levels, levels] = 0
    STEPS[levels, ORDER[(position + 1) % 4]] = 1
    STEPS[levels, ORDER[(position + 2) % 4]] = None
    STEPS[levels, ORDER[(position + 3) % 4]] = -1


def robot_with(counts_per_turn: int = 480, **pwm: Any) -> Robot:
    """The packaged robot with another encoder or PWM."""
    robot = load_robot()
    encoder = dataclasses.replace(robot.encoder, counts_per_turn=counts_per_turn)
    return dataclasses.replace(robot, encoder=encoder, pwm=dataclasses.replace(robot.pwm, **pwm))


class SimulatedTwin:
    """Commands and time in, counts out. Ticks every millisecond, as the server does."""

    def __init__(self, robot: Robot | None = None, **options: Any) -> None:
        self.robot = robot or load_robot()
        self.now_us = 0
        self.daemon = build(self.robot, 0, **options)
        self.reports: list[tuple[int, int, int, int]] = []
        self.count = 0
        self.lost = 0
        self.counted: list[tuple[int, int]] = []
        handle = self.daemon.notifications.open(0, STREAM)
        pins = self.robot.pins
        self._shifts = (pins.encoder_a, pins.encoder_b)
        self.ask(Command.NB, handle, 1 << pins.encoder_a | 1 << pins.encoder_b)
        self._levels = self._channels(self.ask(Command.BR1))

    def ask(self, command: int, p1: int = 0, p2: int = 0, extension: bytes = b"") -> int:
        return self.daemon.execute(self.now_us, command, p1, p2, extension)

    def software_pwm(self) -> None:
        """Both pins at the robot's software PWM, off."""
        for gpio in (self.robot.pins.forward, self.robot.pins.backward):
            self.ask(Command.WRITE, gpio, 0)
            self.ask(Command.PFS, gpio, self.robot.pwm.frequency_hz)
            self.ask(Command.PRS, gpio, self.robot.pwm.range)

    def drive(self, command: int) -> None:
        """A signed command, as software PWM."""
        self.ask(Command.PWM, self.robot.pins.forward, max(command, 0))
        self.ask(Command.PWM, self.robot.pins.backward, max(-command, 0))

    def run(self, duration_us: int) -> None:
        until_us = self.now_us + duration_us
        while self.now_us < until_us:
            self.now_us = min(self.now_us + 1000, until_us)
            for _, data in self.daemon.tick(self.now_us):
                for report in struct.iter_unpack("<HHII", data):
                    self._take(report)

    def _take(self, report: tuple[int, ...]) -> None:
        sequence, flags, tick, levels = report
        self.reports.append((sequence, flags, tick, levels))
        step = STEPS[self._levels, self._channels(levels)]
        self._levels = self._channels(levels)
        self.lost += step is None
        self.count += step or 0
        self.counted.append((tick, self.count))

    def _channels(self, levels: int) -> int:
        a, b = self._shifts
        return levels >> a & 1 | (levels >> b & 1) << 1
