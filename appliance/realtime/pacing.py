"""How fast may somebody go? A token bucket; time is an argument."""

from __future__ import annotations


class TokenBucket:
    """`rate_hz` tokens a second, at most `burst` at once; starts full."""

    def __init__(self, rate_hz: float, burst: float, now_s: float) -> None:
        self._rate_hz = rate_hz
        self._burst = burst
        self._tokens = burst
        self._filled_s = now_s

    def take(self, now_s: float) -> bool:
        """Take a token; False when there is none."""
        self._fill(now_s)
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True

    def wait_s(self, now_s: float) -> float:
        """How long until there is a token, s; 0 when there is one."""
        self._fill(now_s)
        return max(0.0, (1.0 - self._tokens) / self._rate_hz)

    def _fill(self, now_s: float) -> None:
        gained = (now_s - self._filled_s) * self._rate_hz
        self._tokens = max(0.0, min(self._burst, self._tokens + gained))
        self._filled_s = now_s
