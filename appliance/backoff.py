"""How long does a fallen process wait before it is started again? Twice as long after each fall, up to a limit."""

from __future__ import annotations

from typing import Final

_STEADY_S: Final = 10.0  # who ran this long has the pause of a first fall again


class Backoff:
    """The pauses of one process, all in seconds."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s, self._longest_s = first_s, longest_s
        self._next_s = first_s

    def after(self, ran_s: float) -> float:
        """The pause after a run of `ran_s`."""
        if ran_s >= _STEADY_S:
            self._next_s = self._first_s
        pause_s, self._next_s = self._next_s, min(self._next_s * 2.0, self._longest_s)
        return pause_s
