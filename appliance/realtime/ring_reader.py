"""Where does whoever looks on see the robot move? A reader of the live ring that survives the loop's comings and goings."""

from __future__ import annotations

import contextlib
from pathlib import Path

from appliance.realtime.telemetry import LiveRecord, LiveRing

_REOPEN_AFTER_NS = 1_000_000_000


class RingReader:
    """The newest samples, or nothing where no loop has run yet. A new loop may bring a new file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ring: LiveRing | None = None
        self._tried_ns = -_REOPEN_AFTER_NS

    def newest(self, now_ns: int) -> LiveRecord | None:
        """The newest whole sample; opens the ring anew (once a second at most) while there is no fresh one."""
        found = self._ring.newest() if self._ring is not None else None
        stale = found is None or now_ns - found[1].t_ns > _REOPEN_AFTER_NS
        if stale and now_ns - self._tried_ns >= _REOPEN_AFTER_NS:
            self._reopen(now_ns)
            found = self._ring.newest() if self._ring is not None else None
        return None if found is None else found[1]

    def history(self, seconds: float, now_ns: int) -> list[LiveRecord]:
        """Samples of the last seconds, oldest first, as far back as the ring holds."""
        if self._ring is None:
            return []
        first_ns = now_ns - int(seconds * 1e9)
        return [record for _, record in self._ring.since(0) if record.t_ns >= first_ns]

    def _reopen(self, now_ns: int) -> None:
        self._tried_ns = now_ns
        if self._ring is not None:
            self._ring.close()
            self._ring = None
        # Absent or not yet at its full size: the loop is just starting, or has never run.
        with contextlib.suppress(OSError, ValueError):
            self._ring = LiveRing(self._path)
