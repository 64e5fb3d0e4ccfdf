"""What happens at the pins as time goes by? The arm under the bridge, the encoder on its pins, and what was sampled.

The world stands still between calls and is advanced to the present before each command and each sampling, so a command
acts when it arrives. Changes of level are kept as bits that toggle on the 5 µs grid until somebody collects them.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from appliance.realtime.twin.arm import Arm
from appliance.realtime.twin.bank import Bank
from appliance.realtime.twin.modulator import Modulator
from appliance.realtime.twin.protocol import U32, on_grid
from appliance.realtime.twin.waves import edges
from gym_raas.parameters import Robot
from gym_raas.physics import State


class Sample(NamedTuple):
    """Levels of GPIO 0-31 from this time on, µs."""

    time_us: int
    levels: int


class PinLog(Protocol):
    """Who wants to know what the bridge gets."""

    def record(self, time_us: int, forward: float, backward: float, command: float) -> None:
        """The bridge's input duties (0..1) and the signed command changed at this time."""


class NoLog:
    """Nobody wants to know."""

    def record(self, time_us: int, forward: float, backward: float, command: float) -> None:
        """Forget it."""


class World:
    """Robot and GPIO at a moment, µs on the clock that the caller reads."""

    def __init__(self, robot: Robot, arm: Arm, now_us: int, log: PinLog | None = None, stop_pin: int = -1) -> None:
        pins = robot.pins
        self._arm = arm
        self._bridge = (pins.forward, pins.backward, robot.pwm.range)
        self._channel_bits = (1 << pins.encoder_a, 1 << pins.encoder_b)
        self.bank = Bank(tied_low=1 << pins.forward | 1 << pins.backward)
        self.modulator = Modulator(self.bank)
        self._button_bit = 1 << stop_pin if stop_pin >= 0 else 0
        self._pressed = False
        self._log = log or NoLog()
        self._now_us = self._waves_until_us = now_us
        self._toggles: list[tuple[int, int]] = []
        self._watched = 0
        self._show_encoder()
        self._reported = self._before = self.levels() & U32
        self._duties = (0.0, 0.0)
        self._log.record(now_us, 0.0, 0.0, 0.0)

    @property
    def now_us(self) -> int:
        """The time last advanced to."""
        return self._now_us

    @property
    def state(self) -> State:
        """The arm's angle and velocity now."""
        return self._arm.state

    @property
    def command(self) -> float:
        """The signed command that the bridge applies now."""
        return self._arm.command

    @property
    def reported(self) -> int:
        """Levels of GPIO 0-31 as of the last collect."""
        return self._reported

    @property
    def busy(self) -> bool:
        """Whether levels may change without a command, or changes wait to be collected."""
        return self._arm.moves or bool(self._toggles) or bool(self.bank.wave_bits & self._watched)

    def place(self, state: State) -> None:
        """Put the arm elsewhere, as a hand would that is too quick for the encoder: edges may be lost."""
        self.begin(self._now_us)
        self._arm.state = state
        self._show_encoder()
        self.applied()

    def press(self) -> None:
        """Press the stop button, which opens it, or let it go again."""
        self._pressed = not self._pressed
        self._show_encoder()

    def watch(self, bits: int) -> None:
        """Edges of waves are sampled on these GPIO only, because nobody looks at the others."""
        self._sample_waves()
        joining = bits & ~self._watched
        self._reported = self._reported & ~joining | self.levels() & joining & U32
        self._watched = bits

    def advance(self, now_us: int) -> None:
        """Let time pass; a time that is over already changes nothing."""
        if now_us <= self._now_us:
            return
        edges_found = self._arm.advance(now_us)
        self._now_us = now_us
        if edges_found:
            for time_us, channel in edges_found:
                self._toggles.append((on_grid(time_us), self._channel_bits[channel]))
            self._show_encoder()

    def levels(self) -> int:
        """Levels of all GPIO now."""
        return self.bank.levels(self._now_us)

    def begin(self, now_us: int) -> None:
        """A command that may change pins comes next: let time pass up to it and remember the levels."""
        self.advance(now_us)
        self._sample_waves()
        self._before = self.levels() & U32

    def applied(self) -> None:
        """That command is done: note what changed, and let the bridge act on the arm."""
        changed = (self.levels() & U32) ^ self._before
        if changed:
            self._toggles.append((on_grid(self._now_us), changed))
        forward, backward, full = self._bridge
        duties = self.bank.duty(forward), self.bank.duty(backward)
        if duties != self._duties:
            self._duties = duties
            self._arm.command = (duties[0] - duties[1]) * full
            self._log.record(self._now_us, *duties, self._arm.command)

    def collect(self) -> list[Sample]:
        """What has been sampled since the last time: one entry for each sample with another level."""
        self._sample_waves()
        if not self._toggles:
            return []
        due: dict[int, int] = {}
        for time_us, bits in self._toggles:
            if time_us <= self._now_us:
                due[time_us] = due.get(time_us, 0) ^ bits
        self._toggles = [toggle for toggle in self._toggles if toggle[0] > self._now_us]
        unwatched = self.bank.wave_bits & ~self._watched
        samples, levels = [], self._reported
        for time_us in sorted(due):
            levels ^= due[time_us]
            shown = levels & ~unwatched | self.bank.wave_levels(time_us, unwatched)
            if due[time_us]:
                samples.append(Sample(time_us, shown))
        self._reported = levels
        return samples

    def _sample_waves(self) -> None:
        for gpio, wave in self.bank.waves(self._watched):
            for time_us in edges(wave, self._waves_until_us, self._now_us):
                self._toggles.append((time_us, 1 << gpio))
        self._waves_until_us = self._now_us

    def _show_encoder(self) -> None:
        a, b = self._arm.channels
        first, second = self._channel_bits
        closed = 0 if self._pressed else self._button_bit
        self.bank.drive(first | second | closed, a * first | b * second)
