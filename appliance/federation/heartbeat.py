"""How does a member show that it lives? One object that it alone overwrites, always by compare-and-swap.

The heartbeat names the jobs that are held, so an appliance that lost its memory doesn't keep a job from others by merely
being alive. Compare-and-swap keeps a write that was stuck in the network from turning the clock back, and shows when two
machines use one identity.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from appliance.federation.requests import Put, Reply, Status, Talk
from appliance.federation.signing import Roster, Untrusted
from appliance.federation.station import Station
from appliance.federation.timing import stretched


class Heartbeat(msgspec.Struct, frozen=True):
    """What a member says of itself. holding: job and token; boot: random for each start; seq counts from there."""

    fleet: str
    by: str
    boot: str
    seq: int
    holding: dict[str, int]
    about: dict[str, Any] = {}


_DECODER: Final = msgspec.json.Decoder(Heartbeat)


def opened(roster: Roster, who: str, reply: Reply) -> Heartbeat | None:
    """The heartbeat of `who` in a reply, or None if there is none that it wrote itself."""
    if reply.status is not Status.OK:
        return None
    try:
        content, author = roster.open(reply.body)
        found = _DECODER.decode(content)
    except (Untrusted, msgspec.DecodeError):
        return None
    return found if (author.who, found.by, found.fleet) == (who, who, roster.fleet) else None


class Heart:
    """The heartbeat of one member. due_s: when the next is, on the local monotonic clock."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._boot, self._seq, self._etag, self._known = station.nonce(), 0, "", False
        self.due_s = float("-inf")
        #: Asked before each heartbeat: what others may know of this appliance.
        self.about: Callable[[], dict[str, Any]] = dict

    def beat(self) -> Talk[bool]:
        """One heartbeat; False if it can't be known to have arrived."""
        station, timing = self._station, self._station.timing
        if not self._known:
            yield from self._look()
        held = station.desk.held()
        self._seq += 1
        holding = {held.job: held.token} if held is not None else {}
        content = Heartbeat(station.roster.fleet, station.me, self._boot, self._seq, holding, self.about())
        sent_s = station.now_s
        key, sealed = station.keys.heartbeat(station.me), station.identity.seal(content)
        reply = yield from station.ask(Put(key, sealed, create=not self._etag, if_etag=self._etag))
        if reply.status is Status.OK:
            self._etag = reply.etag
            self.due_s = sent_s + stretched(timing.heartbeat_s, station.rng)
            if held is not None:
                station.alive_s = max(station.alive_s, sent_s)
                station.desk.extend(station.alive_s + timing.hold_s)
            return True
        self._known = False  # look what stands there before the next try
        self.due_s = station.now_s + station.patience_s()
        return False

    def _look(self) -> Talk[None]:
        """Learn what stands there: an earlier start's heartbeat, one of ours whose answer was lost, or a twin's."""
        station = self._station
        reply = yield from station.read(station.keys.heartbeat(station.me))
        if reply.status is Status.MISSING:
            self._etag, self._known = "", True
        elif reply.status is Status.OK:
            found = opened(station.roster, station.me, reply)
            if found is not None and found.boot != self._boot and self._seq > 1:
                station.desk.complain(station.me, "another machine works under this appliance's name and key")
            self._etag, self._known = reply.etag, True
