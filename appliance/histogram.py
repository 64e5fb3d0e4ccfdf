"""How are times spread? Counts in buckets of 1, 2, 5, 10, 20, 50 ... µs, which fit anything from a timer to a stall."""

from __future__ import annotations

import bisect
from collections.abc import Iterable
from typing import Final

#: Upper bounds in µs; what is beyond the last one is counted there, too.
BOUNDS_US: Final = tuple(step * 10**power for power in range(7) for step in (1, 2, 5))


def counted(samples_us: Iterable[float]) -> list[tuple[int, int]]:
    """(upper bound in µs, how many are within it and beyond the one before), from the first to the last that isn't empty."""
    counts = [0] * len(BOUNDS_US)
    for sample_us in samples_us:
        counts[min(bisect.bisect_left(BOUNDS_US, sample_us), len(BOUNDS_US) - 1)] += 1
    used = [index for index, count in enumerate(counts) if count]
    if not used:
        return []
    return [(BOUNDS_US[index], counts[index]) for index in range(used[0], used[-1] + 1)]
