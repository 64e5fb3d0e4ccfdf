"""Is this an action? Whatever a program hands to `step` becomes one finite float, or an error that says what is wrong.

Lists, tuples, arrays and plain numbers are welcome, as they always were.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

_EXPECTED: Final = "expected is one number, as in env.step([0.5])"


def as_action(given: Any) -> float:
    """The action as a float, not clipped. Raises TypeError (no number) or ValueError (not one, or not finite)."""
    value = given.item() if type(given) is np.ndarray and given.shape == (1,) else given
    if type(value) is not float:
        value = _converted(given)
    if not math.isfinite(value):
        raise ValueError(f"the action {_shown(given)} is not finite; {_EXPECTED}")
    return value


def _converted(given: Any) -> float:
    try:
        array = np.asarray(given)
    except (ValueError, TypeError) as error:
        raise ValueError(f"the action {_shown(given)} has no regular shape; {_EXPECTED}") from error
    if array.dtype.kind not in "iuf":
        raise TypeError(f"the action {_shown(given)} of type {type(given).__name__} is not numeric; {_EXPECTED}")
    if array.shape not in ((), (1,)):
        raise ValueError(f"the action {_shown(given)} has the shape {array.shape}; {_EXPECTED}, of shape (1,)")
    return float(array.reshape(()))


def _shown(given: Any) -> str:
    text = repr(given)
    return text if len(text) <= 80 else text[:77] + "..."
