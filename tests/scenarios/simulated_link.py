"""A robot inside the process: the shared physics behind the loop's link, with a stepped clock and faults on demand."""

from __future__ import annotations

import dataclasses
import math

from appliance.realtime.encoder import Report
from appliance.realtime.link import Received
from appliance.realtime.telemetry import Fault
from appliance.realtime.twin.arm import Arm
from appliance.realtime.twin.encoder import Quadrature
from gym_raas.kinds.known import KINDS
from gym_raas.parameters import Robot
from gym_raas.physics import State


class SimulatedLink:
    """What `PigpiodLink` is to the twin, without sockets."""

    def __init__(self, robot: Robot, start: State, phase: float = 0.0) -> None:
        self._robot = robot
        self._kind = KINDS[robot.kind]
        self._pins = robot.pins
        self.disc = Quadrature(robot.encoder.counts_per_turn, phase)
        self.arm = Arm(self._kind.motion(robot.model), self.disc, start, 0)
        self._levels = list(self.arm.channels)
        self.command: float | None = None
        self.up = True
        self.slow = False
        self.jammed = False
        self.deaf = False  # the encoder's cable is off
        self.backwards = False  # the motor's wires are swapped
        self._lost = False
        self._noise = 0
        self._was_up = False

    def rub(self, factor: float, now_us: int) -> None:
        """From now on the friction is that many times the fitted one."""
        model = self._robot.model
        rubbing = dataclasses.replace(model, coulomb_rad_s2=factor * model.coulomb_rad_s2)
        self.arm = Arm(self._kind.motion(rubbing), self.disc, self.arm.state, now_us)

    def lose_reports(self) -> None:
        self._lost = True

    def make_noise(self, transitions: int) -> None:
        self._noise = transitions

    def receive(self, now_us: int) -> Received:
        reports = []
        if self.up and not self._was_up:
            reports.append(self._report(now_us))
        self._was_up = self.up
        if self.jammed:
            self.arm.state = State(self.arm.state.angle_rad, 0.0)
        for time_us, channel in self.arm.advance(now_us):
            self._levels[channel] ^= 1
            if not (self.jammed or self.deaf):
                reports.append(self._report(round(time_us)))
        for _ in range(self._noise):
            self._levels = [1 - level for level in self._levels]
            reports.append(self._report(now_us))
        self._noise = 0
        lost, self._lost = self._lost, False
        fault = Fault.NONE if self.up else Fault.LINK_LOST
        return Received(
            self.up, Fault.LINK_SLOW if self.slow and self.up else fault, reports if self.up else [], lost, now_us
        )

    def send(self, now_us: int, command: float | None) -> None:
        if self.up:
            self.command = command
            applied = 0.0 if command is None or self.jammed else command
            self.arm.command = -applied if self.backwards else applied

    def close(self) -> None:
        self.command = None

    @property
    def angle_deg(self) -> float:
        return math.degrees(self.arm.state.angle_rad)

    def _report(self, time_us: int) -> Report:
        return Report(time_us, self._levels[0] << self._pins.encoder_a | self._levels[1] << self._pins.encoder_b)
