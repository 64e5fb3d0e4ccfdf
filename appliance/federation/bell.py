"""How does everybody learn that there is work? One small object that changes, and may say where to look.

The bell isn't signed and proves nothing: a wrong hint costs its reader one page of names. Whoever rings takes over the
hints that stand there, or they would be gone before anybody has seen them.
"""

from __future__ import annotations

from typing import Final

import msgspec

from appliance import ulid
from appliance.federation.requests import Get, Put, Status, Talk
from appliance.federation.station import Station

_EVERY: Final = 5.0
_MOST_HINTS: Final = 16


class Ring(msgspec.Struct, frozen=True):
    """What the bell says. hints: open jobs that a look at the newest names would miss, and since when, server's clock."""

    nonce: str
    hints: dict[str, float] = {}


def hints(body: bytes, now_s: float, lease_s: float) -> dict[str, float]:
    """The hints in a bell that are no older than a lease; none if it is rubbish."""
    try:
        found = msgspec.json.decode(body, type=Ring).hints
    except msgspec.DecodeError:
        return {}
    fresh = {job: at_s for job, at_s in found.items() if ulid.is_valid(job) and abs(now_s - at_s) <= lease_s}
    return dict(sorted(fresh.items(), key=lambda hint: -hint[1])[:_MOST_HINTS])


class Bell:
    """Rings for one member, at most every few seconds."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self.due_s = float("-inf")

    def ring(self) -> Talk[None]:
        """Ring."""
        station = self._station
        heard = yield from station.ask(Get(station.keys.bell))
        own = {job: station.server_s() for job in station.hints}
        old = hints(heard.body, station.server_s(), station.timing.lease_s)
        ring = Ring(station.nonce(), dict([*own.items(), *old.items()][:_MOST_HINTS]))
        reply = yield from station.ask(Put(station.keys.bell, msgspec.json.encode(ring)))
        if reply.status is Status.OK:
            station.must_ring = False
            station.hints.clear()
            self.due_s = station.now_s + station.timing.retry_s * _EVERY
        else:
            self.due_s = station.now_s + station.patience_s()
