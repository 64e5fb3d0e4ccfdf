"""How does a test wait for what other processes do? It asks until the answer is true, and says what never came."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE_S = 30.0
T = TypeVar("T")


def eventually(
    probe: Callable[[], T | None],
    patience_s: float = PATIENCE_S,
    what: object = "true",
    *,
    pause_s: float = 0.01,
    then: Callable[[], object] = str,
) -> T:
    """The first true answer. Fails after `patience_s`, with `what` was waited for and what `then()` says of the moment."""
    deadline_s = time.monotonic() + patience_s
    while True:
        found = probe()
        if found:
            return found
        assert time.monotonic() < deadline_s, f"after {patience_s:g} s still not {what} {then()}"
        time.sleep(pause_s)
