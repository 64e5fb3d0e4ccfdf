"""Which unknowns make a residual small? Levenberg and Marquardt's method with numeric derivatives, on numpy alone.

Half of it is about ends: bounds are kept by clipping, and unknowns whose scale is given keep derivatives meaningful.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Residual = Callable[[Array], Array]
Jacobian = Callable[[Array, Array], Array]

MOST_ROUNDS: Final = 60
_SMALLEST_GAIN: Final = 1e-5
_HIGHEST_DAMPING: Final = 1e8
#: Step of a numeric derivative, in units of the unknown's scale: far above rounding, below what matters.
STEP: Final = 1e-4


@dataclass(frozen=True)
class Solution:
    """`unknowns` (K,), the residual there (M,) and its derivatives (M, K)."""

    unknowns: Array
    residual: Array
    jacobian: Array


def solve(
    residual: Residual,
    start: Array,
    scale: Array,
    *,
    jacobian: Jacobian | None = None,
    low: Array | None = None,
    high: Array | None = None,
    rounds: int = MOST_ROUNDS,
) -> Solution:
    """A local minimum of |residual|^2 from `start`. `scale` (K,): a change of each unknown that matters a little.

    It gives up after `rounds`, where it is.
    """
    derive = jacobian or (lambda at, value: differences(residual, at, value, scale))
    at = start.astype(float)
    value = residual(at)
    slopes = derive(at, value)
    damping = 1e-3
    for _ in range(rounds):
        found = _smaller(residual, at, value, slopes * scale, scale, damping, low, high)
        if found is None:
            break
        gained = 1.0 - float(found[1] @ found[1]) / max(float(value @ value), 1e-300)
        at, value, damping = found
        slopes = derive(at, value)
        if gained < _SMALLEST_GAIN:
            break
    return Solution(at, value, slopes)


def _smaller(
    residual: Residual,
    at: Array,
    value: Array,
    slopes: Array,
    scale: Array,
    damping: float,
    low: Array | None,
    high: Array | None,
) -> tuple[Array, Array, float] | None:
    """A place with a smaller residual, the residual, and the damping to go on with; None if there is none."""
    normal, pull, size = slopes.T @ slopes, slopes.T @ value, float(value @ value)
    diagonal = np.diag(np.maximum(np.diag(normal), 1e-12 * max(float(np.trace(normal)), 1e-30)))
    while damping < _HIGHEST_DAMPING:
        step = np.linalg.lstsq(normal + damping * diagonal, -pull, rcond=None)[0] * scale
        there = at + step
        if low is not None and high is not None:
            there = np.clip(there, low, high)
        with np.errstate(over="ignore", invalid="ignore"):  # far too long a step: infinity isn't smaller
            after = residual(there)
            smaller = float(after @ after) < size
        if smaller:
            return there, after, max(damping / 5.0, 1e-9)
        damping *= 4.0
    return None


def differences(residual: Residual, at: Array, value: Array, scale: Array) -> Array:
    """Derivatives (M, K) by one forward step in each unknown."""
    columns = np.empty((len(value), len(at)))
    for index, unit in enumerate(scale):
        there = at.copy()
        there[index] += STEP * unit
        columns[:, index] = (residual(there) - value) / (STEP * unit)
    return columns
