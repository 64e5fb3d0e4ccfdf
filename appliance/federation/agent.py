"""What does a member do next? Heartbeat before all else, then its held job, its own jobs, and at last new work.

`life()` is a conversation without an end: it yields requests and is sent replies. Whoever drives it, decides what a
store, a clock and a network are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from appliance.federation import claiming, holding, submitting
from appliance.federation.bell import Bell
from appliance.federation.compaction import Compactor
from appliance.federation.heartbeat import Heart
from appliance.federation.live import Teller
from appliance.federation.patrol import Patrol
from appliance.federation.requests import Talk, Wait
from appliance.federation.search import Search
from appliance.federation.station import Station
from appliance.federation.submitting import Watch


class Chore(Protocol):
    """Something that a member does beside its jobs, when nothing else is due. due_s: on the local monotonic clock."""

    @property
    def due_s(self) -> float:
        """When next; infinite for never."""

    def work(self) -> Talk[None]:
        """Do it, and set when next."""


class Agent:
    """One member of a fleet."""

    def __init__(self, station: Station, *, compacts: bool = False, chores: Sequence[Chore] = ()) -> None:
        self.station = station
        self.heart, self.search = Heart(station), Search(station)
        self.bell, self.watch, self.teller = Bell(station), Watch(station), Teller(station)
        self.compactor = Compactor(station) if compacts else None
        self._chores = [*chores, Patrol(station, self.compactor)] if self.compactor else chores
        self._submit_s = float("-inf")
        station.keep_alive = self._keep_alive

    def life(self) -> Talk[None]:
        """Everything, for ever."""
        station = self.station
        yield from station.ask(Wait(float("-inf")))  # what time is it?
        held = station.desk.held()
        if held is not None:  # only memory: the log decides whether it still is
            station.desk.hold(type(held)(held.job, held.token, held.sealed, sure=False))
        if station.desk.waiting():
            self.watch.expect()
        while True:
            yield from self._next()

    def _next(self) -> Talk[None]:
        """The most urgent thing, or a wait for the next one."""
        station = self.station
        held, now_s = station.desk.held(), station.now_s
        self.watch.heed()
        if now_s >= self.heart.due_s:
            yield from self.heart.beat()
        elif held is not None and (yield from holding.keep(station, held)):
            pass
        elif station.knows_time and now_s >= self._submit_s and (submission := station.desk.unsent()) is not None:
            if (yield from submitting.submit(station, submission)):
                self.watch.expect()
            else:
                self._submit_s = station.now_s + station.patience_s()
        elif held is not None and now_s >= self.teller.due_s:
            yield from self.teller.tell()
        elif station.must_ring and now_s >= self.bell.due_s:
            yield from self.bell.ring()
        elif now_s >= self.watch.due_s:
            yield from self.watch.look()
        elif self._looks_for_work() and now_s >= station.look_s:
            yield from self._look_for_work()
        elif self.compactor is not None and now_s >= self.compactor.due_s:
            yield from self.compactor.compact()
        elif chore := next((chore for chore in self._chores if now_s >= chore.due_s), None):
            yield from chore.work()
        else:
            yield from station.ask(Wait(self._due_s()))

    def _keep_alive(self) -> Talk[None]:
        if self.station.now_s >= self.heart.due_s:
            yield from self.heart.beat()

    def _looks_for_work(self) -> bool:
        return self.station.knows_time and self.station.desk.held() is None and self.station.desk.idle()

    def _look_for_work(self) -> Talk[None]:
        page = yield from self.search.look()
        if page is not None:
            yield from claiming.from_page(self.station, page)

    def _due_s(self) -> float:
        """When there is something to do again, unless something happens here before."""
        station = self.station
        due_s = min(self.heart.due_s, self.watch.due_s, *(chore.due_s for chore in self._chores))
        if station.must_ring:
            due_s = min(due_s, self.bell.due_s)
        if self._submit_s > station.now_s:
            due_s = min(due_s, self._submit_s)
        if self.compactor is not None:
            due_s = min(due_s, self.compactor.due_s)
        if station.desk.held() is not None:
            due_s = min(due_s, self.teller.due_s)
            return min(due_s, max(station.now_s + station.timing.retry_s, station.alive_s + station.timing.hold_s))
        return min(due_s, station.look_s) if self._looks_for_work() else due_s
