"""Where in the queue is there work? One page of names per look, placed so that it shows the oldest open jobs.

The queue is in order of time, and open jobs begin at a frontier that nobody tells. Each look starts some time before
now. A full page without open jobs makes the next one start later: half-way, by the logarithm of its age, to where one
page reaches the end. A full page with open jobs makes it start much earlier: there may be older ones, and whoever
takes what is newest leaves the others to wait. A few looks go to the past instead, for what was forgotten: holders
that died, jobs that arrived late. Most of that was forgotten a moment ago, so that any age is as likely to be looked
at as its double; some go anywhere, and some to the very beginning, where the oldest stand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from appliance import ulid
from appliance.federation import bell, listing
from appliance.federation.joblog import Phase
from appliance.federation.listing import Seen, Survey
from appliance.federation.requests import Get, List, Status, Talk
from appliance.federation.station import Station
from appliance.federation.timing import has_expired, stretched

PAGE: Final = 400
_SWEEP_SHARE: Final = 0.1
_FROM_THE_START: Final = 0.3
_ANYWHERE: Final = 0.3
_FILL: Final = 0.8
#: How much earlier a look starts after one that found more than it could show.
_FURTHER: Final = 4.0
_A_LITTLE_FURTHER: Final = 1.5
_HINT_SHARE: Final = 0.5
_WIDEST_S: Final = 30 * 86400.0
_NARROWEST_S: Final = 1.0
_QUICK_LOOKS: Final = 12


@dataclass(frozen=True)
class Page:
    """What a look showed. overdue: held for longer than a lease, or hidden in another way."""

    open: list[Seen]
    overdue: list[Seen]


class Search:
    """The looks of one member.  They set `station.look_s`."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._bell = ""
        self._hint = ""
        self._window_s = station.timing.horizon_s
        self._oldest_s: float | None = None
        self._quick = 0
        self.looks = 0
        self._sweep_s = float("-inf")

    def look(self) -> Talk[Page | None]:
        """One look, if there is a reason for it; None if there is none. Sets when the next is due."""
        station, timing = self._station, self._station.timing
        self.looks += 1
        if not station.hungry and not (yield from self._rings()):
            if station.now_s < self._sweep_s:
                return None
            sweep = True
        else:
            sweep = station.rng.random() < _SWEEP_SHARE
        if self._sweep_s == float("-inf"):  # the first look is from the very beginning
            sweep = True
        if sweep:
            self._sweep_s = station.now_s + stretched(timing.sweep_s, station.rng)
        if self._hint:
            before, sweep, self._hint = listing.before(self._hint), True, ""
        elif sweep:
            before = _name(self._sweep_start_s())
        else:
            before = _name(max(0.0, station.server_s() - self._window_s))
        return (yield from self._page(before, sweep=sweep))

    def _rings(self) -> Talk[bool]:
        """Whether the bell has been rung since the last look; sets when it is listened to again."""
        station = self._station
        reply = yield from station.ask(Get(station.keys.bell, self._bell))
        late = station.patience_s() if reply.status is Status.LOST else 0.0
        station.look_s = station.now_s + max(late, stretched(station.timing.bell_s, station.rng))
        if reply.status is not Status.OK:
            return False
        self._bell = reply.etag
        hinted = bell.hints(reply.body, station.server_s(), station.timing.lease_s)
        if hinted and station.rng.random() < _HINT_SHARE:
            self._hint = station.rng.choice(list(hinted))
        return True

    def _sweep_start_s(self) -> float:
        """The very beginning, a moment of the past where any age is as likely as its double, or any moment."""
        server_s, rng = self._station.server_s(), self._station.rng
        kind = rng.random()
        if self._oldest_s is None or kind < _FROM_THE_START:
            return 0.0
        longest_s = max(server_s - self._oldest_s, self._window_s)
        if kind < _FROM_THE_START + _ANYWHERE:
            return server_s - rng.uniform(self._window_s, longest_s)
        return server_s - math.exp(rng.uniform(math.log(self._window_s), math.log(longest_s)))

    def _page(self, before: str, *, sweep: bool) -> Talk[Page | None]:
        """A page of names behind `before`, from the very beginning if that is ''."""
        station = self._station
        prefix = station.keys.queue
        reply = yield from station.ask(List(prefix, prefix + before if before else "", PAGE))
        if reply.status is not Status.OK:
            station.look_s = station.now_s + station.patience_s()
            return None
        seen = listing.survey(prefix, reply.rows, truncated=reply.truncated)
        if not before:
            self._oldest_s = ulid.time_s(seen.first) if seen.first else None
        page = self._sorted(seen.unended, reply.date_s)
        if sweep:
            station.look_s = station.now_s + (0.0 if station.hungry else stretched(station.timing.bell_s, station.rng))
        else:
            self._place(page, seen, truncated=reply.truncated)
        return page

    def _sorted(self, seen: list[Seen], date_s: float) -> Page:
        lease_s, ended = self._station.timing.lease_s, self._station.ended
        page = Page([], [])
        for job in seen:
            if job.job in ended:
                continue
            if job.phase is Phase.OPEN:
                page.open.append(job)
            elif has_expired(job.changed_s, date_s, lease_s):
                page.overdue.append(job)
        return page

    def _place(self, page: Page, seen: Survey, *, truncated: bool) -> None:
        """Choose where the next look starts, and when it is."""
        station, timing = self._station, self._station.timing
        behind = truncated and not page.open  # all of these are taken
        if behind:
            covered_s = ulid.time_s(seen.last) - ulid.time_s(seen.first) if seen.first else 0.0
            nearest_s = min(covered_s, self._window_s) * _FILL
            self._window_s = max(nearest_s, math.sqrt(nearest_s * self._window_s / 2))
        elif truncated or (page.open and page.open[0].job == seen.first):
            self._window_s *= _FURTHER
        elif seen.rows < PAGE // 2:
            self._window_s *= _A_LITTLE_FURTHER
        self._window_s = min(max(self._window_s, _NARROWEST_S), _WIDEST_S)
        self._quick = self._quick + 1 if behind else 0
        station.hungry = 0 < self._quick < _QUICK_LOOKS
        station.look_s = station.now_s + (0.0 if station.hungry else stretched(timing.bell_s, station.rng))


def _name(start_s: float) -> str:
    """What sorts before the names of jobs from then on; '' for the very beginning."""
    return ulid.new(start_s, 0) if start_s > 0.0 else ""
