"""How often may one address ask for what costs something? A bucket for each, the longest unused forgotten first."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from appliance.realtime.pacing import TokenBucket
from appliance.webui.web import Refusal

_MAX_ADDRESSES: Final = 1000


@dataclass(frozen=True)
class Throttle:
    """`burst` at once and `rate_hz` a second, for each address."""

    rate_hz: float
    burst: int
    _buckets: OrderedDict[str, TokenBucket] = field(default_factory=OrderedDict)

    def take(self, address: str, now_s: float) -> None:
        """Count one more. Raises Refusal where that is too often."""
        bucket = self._buckets.setdefault(address, TokenBucket(self.rate_hz, self.burst, now_s))
        self._buckets.move_to_end(address)
        if len(self._buckets) > _MAX_ADDRESSES:
            self._buckets.popitem(last=False)
        if not bucket.take(now_s):
            raise Refusal(429, "too_often", f"That was asked too often. Wait {1 / self.rate_hz:.0f} s and try again.")
