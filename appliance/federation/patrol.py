"""Which jobs has everybody forgotten? The elected compactor walks through the queue, page after page, and tells where they stand.

A look for work goes where work is likely, so a job whose submitter and holder are both gone may wait among a million
that have ended. The walk sees every name above the watermark; who listens to the bell does the rest.
"""

from __future__ import annotations

from appliance.federation import listing
from appliance.federation.compaction import Compactor
from appliance.federation.requests import List, Status, Talk
from appliance.federation.station import Station
from appliance.federation.timing import has_expired, stretched


class Patrol:
    """The walks of one compactor. due_s: when its next page is, on the local monotonic clock."""

    def __init__(self, station: Station, compactor: Compactor) -> None:
        self._station, self._compactor = station, compactor
        self._last = ""
        self.due_s = float("-inf")

    def work(self) -> Talk[None]:
        """One page, if this member is the one who does it."""
        station = self._station
        if station.must_ring:  # nobody has heard yet of what the page before showed
            self.due_s = station.now_s + station.timing.retry_s
            return
        self.due_s = station.now_s + stretched(station.timing.compact_s, station.rng)
        if self._compactor.election.elected != station.me:
            return
        prefix, after = station.keys.queue, max(self._last, self._compactor.watermark)
        page = yield from station.ask(List(prefix, f"{prefix}{after}/9999" if after else ""))
        if page.status is not Status.OK:
            return
        seen = listing.survey(prefix, page.rows, truncated=page.truncated)
        for job in seen.unended:
            if has_expired(job.changed_s, page.date_s, station.timing.lease_s):
                station.hint(job.job)
        self._last = seen.last if page.truncated else ""
        if self._last:
            self.due_s = station.now_s + station.timing.retry_s
