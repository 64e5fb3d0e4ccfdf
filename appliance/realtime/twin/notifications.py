"""Who gets told of which level changes? Notification handles, watchdogs and events, and the reports they get.

As in pigpiod a handle counts its own reports, and a watchdog or an event only reports. A handle opened by NO instead of
NOIB has no stream here: pigpiod would feed a pipe in /dev, which belongs to the machine and not to the twin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from appliance.realtime.twin.protocol import REPORT, U32, Flag, Refusal
from appliance.realtime.twin.world import Sample

HANDLES: Final = 32
_ALIVE_US: Final = 60_000_000
_MAX_WATCHDOG_MS: Final = 60_000


@dataclass
class _Handle:
    """An open handle; `stream` names the connection that gets the reports, if any."""

    stream: int | None
    last_report_us: int
    bits: int = 0
    events: int = 0
    running: bool = False
    sequence: int = 0


@dataclass
class _Watchdog:
    timeout_us: int
    since_us: int


class Notifications:
    """All handles. `tick_offset_us` is what the ticks of reports are ahead of the caller's clock."""

    def __init__(self, tick_offset_us: int = 0) -> None:
        self._handles: dict[int, _Handle] = {}
        self._watchdogs: dict[int, _Watchdog] = {}
        self._fired_events = 0
        self._tick_offset_us = tick_offset_us

    @property
    def watched(self) -> int:
        """Bits of the GPIO that any running handle looks at."""
        bits = 0
        for handle in self._handles.values():
            if handle.running:
                bits |= handle.bits
        return bits

    @property
    def busy(self) -> bool:
        """Whether something is due now although no level changes."""
        return bool(self._fired_events)

    @property
    def watchdog_us(self) -> int | None:
        """When the next watchdog reports, if nothing changes before; None where there is none."""
        return min((dog.since_us + dog.timeout_us for dog in self._watchdogs.values()), default=None)

    def open(self, now_us: int, stream: int | None) -> int:
        """NO, or NOIB on a connection, whose former handle it replaces: the handle's number, or a refusal."""
        free = next((number for number in range(HANDLES) if number not in self._handles), None)
        if free is None:
            return Refusal.NO_HANDLE
        if stream is not None:
            self.close_stream(stream)
        self._handles[free] = _Handle(stream, now_us)
        return free

    def begin(self, number: int, bits: int) -> int:
        """NB: report changes of these GPIO."""
        handle = self._handles.get(number)
        if handle is None:
            return Refusal.BAD_HANDLE
        handle.bits, handle.running = bits, True
        return 0

    def pause(self, number: int) -> int:
        """NP: report nothing until the next NB."""
        handle = self._handles.get(number)
        if handle is None:
            return Refusal.BAD_HANDLE
        handle.bits, handle.running = 0, False
        return 0

    def close(self, number: int) -> int:
        """NC."""
        return Refusal.BAD_HANDLE if self._handles.pop(number, None) is None else 0

    def close_stream(self, stream: int) -> None:
        """The connection is gone, and its handles with it."""
        self._handles = {n: handle for n, handle in self._handles.items() if handle.stream != stream}

    def monitor_events(self, number: int, bits: int) -> int:
        """EVM: report these events."""
        handle = self._handles.get(number)
        if handle is None:
            return Refusal.BAD_HANDLE
        handle.events = bits
        return 0

    def trigger_event(self, event: int) -> int:
        """EVT: an event happened."""
        if event > 31:
            return Refusal.BAD_EVENT_ID
        self._fired_events |= 1 << event
        return 0

    def watchdog(self, now_us: int, gpio: int, timeout_ms: int) -> int:
        """WDOG: report whenever the GPIO didn't change for so long; 0 ends it."""
        if timeout_ms > _MAX_WATCHDOG_MS:
            return Refusal.BAD_WDOG_TIMEOUT
        if timeout_ms:
            self._watchdogs[gpio] = _Watchdog(timeout_ms * 1000, now_us)
        else:
            self._watchdogs.pop(gpio, None)
        return 0

    def reports(self, now_us: int, levels: int, before: int, samples: Sequence[Sample]) -> list[tuple[int, bytes]]:
        """(connection, reports) of what was sampled up to now; `before` and `levels` are those at both ends."""
        notices = self._notices(now_us, before, samples)
        found = []
        for handle in self._handles.values():
            data = self._of(handle, now_us, levels, before, samples, notices)
            if data and handle.stream is not None:
                found.append((handle.stream, data))
        return found

    def _notices(self, now_us: int, before: int, samples: Sequence[Sample]) -> list[tuple[Flag, int]]:
        """Watchdogs and events that are due, as (flag, number)."""
        due = [(Flag.WATCHDOG, gpio) for gpio in sorted(self._expired(now_us, before, samples))]
        due += [(Flag.EVENT, event) for event in range(32) if self._fired_events >> event & 1]
        self._fired_events = 0
        return due

    def _expired(self, now_us: int, before: int, samples: Sequence[Sample]) -> list[int]:
        expired = []
        for gpio, dog in self._watchdogs.items():
            last = before >> gpio & 1
            for sample in samples:
                if sample.levels >> gpio & 1 != last:
                    last, dog.since_us = sample.levels >> gpio & 1, sample.time_us
            if now_us - dog.since_us >= dog.timeout_us:
                dog.since_us = now_us
                expired.append(gpio)
        return expired

    def _of(
        self,
        handle: _Handle,
        now_us: int,
        levels: int,
        before: int,
        samples: Sequence[Sample],
        notices: Sequence[tuple[Flag, int]],
    ) -> bytes:
        data = bytearray()
        if handle.running:
            previous = before & handle.bits
            for time_us, sampled in samples:
                if sampled & handle.bits != previous:
                    previous = sampled & handle.bits
                    data += self._report(handle, 0, time_us, sampled)
        for flag, number in notices:
            wanted = handle.events if flag is Flag.EVENT else handle.bits if handle.running else 0
            if wanted >> number & 1:
                data += self._report(handle, flag | number, now_us, levels)
        if not data and now_us - handle.last_report_us > _ALIVE_US:
            data += self._report(handle, Flag.ALIVE, now_us, levels)
        if data:
            handle.last_report_us = now_us
        return bytes(data)

    def _report(self, handle: _Handle, flags: int, time_us: int, levels: int) -> bytes:
        sequence, handle.sequence = handle.sequence, (handle.sequence + 1) & 0xFFFF
        return REPORT.pack(sequence, flags, (time_us + self._tick_offset_us) & U32, levels & U32)
