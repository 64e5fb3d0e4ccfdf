"""Which confined child is up already when the next archive comes? One whose Python has started, and waits for its order.

Starting Python is most of what unpacking a small archive takes. The child has seen nothing of any stranger's when it gets its
order, and serves for one only: see `isolation`.
"""

from __future__ import annotations

import threading
from typing import Final

from appliance.intake import isolation
from appliance.intake.isolation import Child

#: After one was taken the next is made, but not in the way of the job that took it.
PAUSE_S: Final = 0.5


class Ahead:
    """Keeps one child of `task` waiting. `tend` is for one thread, which the child doesn't outlive; `take` for any."""

    def __init__(self, task: str) -> None:
        self._task = task
        self._lock = threading.Lock()
        self._waiting: Child | None = None
        self._due_s = float("-inf")
        self._was_taken = False

    def tend(self, now_s: float) -> None:
        """Start one if none waits. Never waits itself."""
        with self._lock:
            if self._was_taken:
                self._due_s, self._was_taken = now_s + PAUSE_S, False
            if self._waiting is not None or now_s < self._due_s:
                return
            self._due_s = now_s + PAUSE_S
            self._waiting = isolation.start(self._task)

    def take(self) -> Child | None:
        """The child that waits, for whoever asks; None if there is none."""
        with self._lock:
            found, self._waiting, self._was_taken = self._waiting, None, True
        if found is not None and not found.is_sound:
            found.end()
            return None
        return found

    def close(self) -> None:
        """Leave nothing waiting."""
        found = self.take()
        if found is not None:
            found.end()
