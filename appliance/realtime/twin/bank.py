"""What level is each GPIO at? Modes, output latches, pulls and waves of the 54 GPIO, as bit sets.

Levels follow the mode: an output shows its wave or its latch, an input what drives it from outside or its pull, and an
alternative function its hardware PWM. Outside stand the encoder (drives) and the bridge's pull-down resistors, which
are stronger than the chip's pull-ups.
"""

from __future__ import annotations

from typing import Final

from appliance.realtime.twin.protocol import MAX_GPIO, Mode
from appliance.realtime.twin.waves import Wave

#: GPIO 0-8 are pulled up when the chip starts, all others down; GPIO 48 is the SD card's clock.
_BOOT_PULLED_UP: Final = 0x1FF | 1 << 48


class Bank:
    """Levels of all GPIO. `tied_low`: bits of the GPIO that have an external pull-down."""

    def __init__(self, tied_low: int = 0) -> None:
        self._modes = [int(Mode.INPUT)] * (MAX_GPIO + 1)
        self._inputs = (1 << (MAX_GPIO + 1)) - 1
        self._outputs = 0
        self._latches = 0
        self._pulled_up = _BOOT_PULLED_UP
        self._tied_low = tied_low
        self._driven = 0
        self._driven_high = 0
        self._waves: dict[int, Wave] = {}
        self._wave_bits = 0

    def mode(self, gpio: int) -> int:
        """The GPIO's mode."""
        return self._modes[gpio]

    def set_mode(self, gpio: int, mode: int) -> None:
        """Change the GPIO's mode; latch and wave stay."""
        bit = 1 << gpio
        self._modes[gpio] = mode
        self._inputs = self._inputs | bit if mode == Mode.INPUT else self._inputs & ~bit
        self._outputs = self._outputs | bit if mode == Mode.OUTPUT else self._outputs & ~bit

    def pull(self, gpio: int, up: bool) -> None:
        """Pull the GPIO up or else down; a floating input counts as pulled down here."""
        self._pulled_up = self._pulled_up | 1 << gpio if up else self._pulled_up & ~(1 << gpio)

    def latch(self, bits: int, high: bool) -> None:
        """Set or clear output latches; a GPIO that isn't an output shows it once it becomes one."""
        self._latches = self._latches | bits if high else self._latches & ~bits

    def drive(self, bits: int, high_bits: int) -> None:
        """Say from outside which GPIO are driven, and which of them high."""
        self._driven, self._driven_high = bits, high_bits & bits

    def wave(self, gpio: int) -> Wave | None:
        """The wave that the GPIO shows, if any."""
        return self._waves.get(gpio)

    def set_wave(self, gpio: int, wave: Wave | None) -> None:
        """Give the GPIO a wave that stands in place of its latch, or take it away."""
        if wave is None:
            self._waves.pop(gpio, None)
            self._wave_bits &= ~(1 << gpio)
        else:
            self._waves[gpio] = wave
            self._wave_bits |= 1 << gpio

    @property
    def wave_bits(self) -> int:
        """Bits of the GPIO that show a wave."""
        return self._wave_bits

    def waves(self, bits: int) -> list[tuple[int, Wave]]:
        """Those of `bits` that show a wave, as (GPIO, wave)."""
        if not bits & self._wave_bits:
            return []
        return [(gpio, wave) for gpio, wave in self._waves.items() if bits >> gpio & 1]

    def levels(self, time_us: int) -> int:
        """Levels of all GPIO at the last sample, bit n for GPIO n."""
        undriven = self._pulled_up & ~self._tied_low & ~self._driven
        still = (self._latches & self._outputs) | (self._inputs & (self._driven_high | undriven))
        return self.wave_levels(time_us, self._wave_bits) | (still & ~self._wave_bits)

    def wave_levels(self, time_us: int, bits: int) -> int:
        """Levels of those of `bits` that show a wave."""
        levels = 0
        for gpio, wave in self.waves(bits):
            if wave.level(time_us):
                levels |= 1 << gpio
        return levels

    def duty(self, gpio: int) -> float:
        """Share of the time that the GPIO is high, 0..1."""
        wave = self._waves.get(gpio)
        return wave.duty if wave is not None else float(self.levels(0) >> gpio & 1)
