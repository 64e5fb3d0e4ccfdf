"""Does the loop still tick? Judged by the sequence numbers of its live records; pure, time is an argument."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Heartbeat:
    """Watches a number that must change at least every `limit_s`.

    Where the watcher itself didn't run for half of that (a paused machine), the other side gets its whole time anew.
    """

    limit_s: float
    _number: int = -1
    _changed_s: float = 0.0
    _looked_s: float = 0.0

    def restart(self, now_s: float) -> None:
        """The watched process has just become able to beat."""
        self._number, self._changed_s, self._looked_s = -1, now_s, now_s

    def is_missing(self, number: int, now_s: float) -> bool:
        """Whether the number has been the same for too long."""
        if number != self._number or now_s - self._looked_s > self.limit_s / 2:
            self._number, self._changed_s = number, now_s
        self._looked_s = now_s
        return now_s - self._changed_s > self.limit_s
