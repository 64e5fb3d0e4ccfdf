"""When did both of the motor's pins go off, and have they stayed off? Read at the twin's log, which nobody else writes."""

from __future__ import annotations

import time
from pathlib import Path

from appliance.realtime.twin.pinlog import PinRecord, read
from tests.patience import eventually

#: A pause this long is no change of direction.
STILL_NS = 30_000_000
_LOG_FLUSHED_S = 0.12


class PinWatch:
    """The log of one twin, read as it grows."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._pins: list[PinRecord] = []
        self._off_ns = 0

    def records(self) -> list[PinRecord]:
        """All changes so far."""
        self._pins += read(self._file, len(self._pins))
        return self._pins

    def is_on(self) -> bool:
        """Whether a pin is driven, as far as is known yet."""
        pins = self.records()
        return bool(pins) and is_driven(pins[-1])

    def wait_off(self, since_ns: int, patience_s: float = 10.0) -> float:
        """Milliseconds from `since_ns` until both pins were off for good, as far as is known yet."""
        eventually(self._off_at, patience_s, what="the pins to go off")
        time.sleep(_LOG_FLUSHED_S)
        self._off_ns = eventually(self._off_at, patience_s, what="the pins to stay off")
        return max(0.0, (self._off_ns - since_ns) / 1e6)

    def _off_at(self) -> int:
        """Since when the pins are off; 0 if they aren't, or have never been driven."""
        pins, off_ns = self.records(), 0
        for pin in reversed(pins):
            if is_driven(pin):
                return off_ns
            off_ns = pin.t_ns
        return 0

    def first_off(self, since_ns: int) -> int:
        """When, at or after `since_ns`, both pins first went off and stayed off for `STILL_NS`; 0 if they haven't yet."""
        off_ns = 0 if self.is_driven_at(since_ns) else since_ns
        for pin in self.after(since_ns):
            if not is_driven(pin):
                off_ns = off_ns or pin.t_ns
            elif off_ns and pin.t_ns - off_ns > STILL_NS:
                return off_ns
            else:
                off_ns = 0
        return off_ns if off_ns and time.monotonic_ns() - off_ns > STILL_NS + _LOG_FLUSHED_S * 1e9 else 0

    def is_driven_at(self, t_ns: int) -> bool:
        """Whether a pin was driven at that time."""
        before = len(self.records()) - len(self.after(t_ns))
        return before > 0 and is_driven(self._pins[before - 1])

    def went_on_again(self) -> bool:
        """Whether a pin has been driven since it was seen to be off."""
        return bool(self._off_ns) and any(is_driven(pin) for pin in self.after(self._off_ns))

    def after(self, t_ns: int) -> list[PinRecord]:
        """All changes after this time."""
        pins = self.records()
        first = len(pins)
        while first and pins[first - 1].t_ns > t_ns:
            first -= 1
        return pins[first:]


def is_driven(pin: PinRecord) -> bool:
    """Whether either pin is."""
    return bool(pin.forward or pin.backward)
