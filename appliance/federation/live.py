"""How does a submitter see a job while it runs elsewhere? The holder overwrites one small object, as often as was asked for.

It costs requests on both sides, so only jobs with `live_s` have it: those at which somebody looks.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from appliance.federation.desk import Progress
from appliance.federation.requests import Get, Put, Status, Talk
from appliance.federation.signing import Untrusted
from appliance.federation.station import Station

#: The most of a job's output that one telling carries.
TAIL_BYTES: Final = 24 << 10
_FASTEST_S: Final = 1.0


class Telling(msgspec.Struct, frozen=True):
    """`pi/<id>/live`, signed: how job `job`, claimed in slot `token`, is."""

    fleet: str
    by: str
    job: str
    token: int
    state: Annotated[str, Meta(max_length=40)]
    for_s: Annotated[float, Meta(ge=0.0, le=1e6)] | None = None
    log_bytes: Annotated[int, Meta(ge=0, le=1 << 40)] = 0
    tail: bytes = b""


class Teller:
    """Tells of the held job. due_s: when next, on the local monotonic clock."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._told = Progress("", None, 0, b"")
        self._last_s = float("-inf")

    @property
    def due_s(self) -> float:
        """Infinite while nobody wants to hear."""
        every_s = self._station.desk.live_s()
        return self._last_s + max(every_s, _FASTEST_S) if every_s > 0.0 else float("inf")

    def tell(self) -> Talk[None]:
        """One telling, unless nothing has changed."""
        station = self._station
        held, now = station.desk.held(), station.desk.progress()
        self._last_s = station.now_s
        if held is None or now is None or (now.state, now.log_bytes) == (self._told.state, self._told.log_bytes):
            return
        telling = Telling(
            station.roster.fleet, station.me, held.job, held.token, now.state, now.for_s, now.log_bytes, now.tail
        )
        reply = yield from station.ask(Put(station.keys.live(station.me), station.identity.seal(telling)))
        self._last_s = station.now_s
        if reply.status is Status.OK:
            self._told = now


def listen(station: Station, job: str, holder: str, token: int) -> Talk[None]:
    """What the holder says of a job now, for the desk; nothing if it says nothing, or isn't who speaks."""
    reply = yield from station.ask(Get(station.keys.live(holder)))
    if reply.status is not Status.OK:
        return
    try:
        content, author = station.roster.open(reply.body)
        telling = msgspec.json.decode(content, type=Telling)
    except (Untrusted, msgspec.DecodeError) as error:
        station.desk.complain(holder, f"What {holder} says of job {job} was refused: {error}.")
        return
    if (author.who, telling.by, telling.fleet) != (holder, holder, station.roster.fleet):
        station.desk.complain(holder, f"Somebody else speaks for {holder} of job {job}.")
    elif (telling.job, telling.token) == (job, token):
        late_s = max(0.0, reply.date_s - reply.written_s)
        for_s = None if telling.for_s is None else telling.for_s + late_s
        station.desk.show(job, holder, Progress(telling.state, for_s, telling.log_bytes, telling.tail[-TAIL_BYTES:]))
