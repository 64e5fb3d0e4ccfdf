"""When is a pulse-width modulated pin high? Levels and edges of a periodic wave, as sampled every 5 µs.

A wave is in phase with time 0, so waves of equal period overlap and don't interleave, as pigpiod's do.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from appliance.realtime.twin.protocol import SAMPLE_US, on_grid


class Wave(NamedTuple):
    """High for the first `high_us` of every `period_us`."""

    period_us: float
    high_us: float

    @property
    def duty(self) -> float:
        """Share of the time that the pin is high, 0..1."""
        return self.high_us / self.period_us

    def level(self, time_us: int) -> bool:
        """The level at the last sample."""
        return (time_us - time_us % SAMPLE_US) % self.period_us < self.high_us


def edges(wave: Wave, after_us: int, until_us: int) -> Iterator[int]:
    """Samples in (after_us, until_us] at which the level differs from the sample before, in order, µs."""
    if not 0.0 < wave.high_us < wave.period_us:
        return
    period = int(after_us // wave.period_us)
    while period * wave.period_us <= until_us:
        rise = on_grid(period * wave.period_us)
        fall = on_grid(period * wave.period_us + wave.high_us)
        following = on_grid((period + 1) * wave.period_us)
        if rise < fall:  # a pulse between two samples is not seen
            if after_us < rise <= until_us and not _joined(wave, period, rise):
                yield rise
            if after_us < fall <= until_us and fall < following:
                yield fall
        period += 1


def _joined(wave: Wave, period: int, rise: int) -> bool:
    """Whether the pulse before lasts up to this rise on the samples' grid."""
    return on_grid((period - 1) * wave.period_us + wave.high_us) >= rise
