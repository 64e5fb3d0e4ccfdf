"""How do results of jobs that ran elsewhere make room? The runner says which go, as for all jobs; whose files they are removes them."""

from __future__ import annotations

from typing import Final

from appliance.federation.requests import Talk
from appliance.federation.station import Station
from appliance.paths import Paths
from appliance.running import results, retention
from appliance.store import AWAY, Store

_EVERY_S: Final = 30.0


class Pruning:
    """A chore: removes data of far jobs that are marked as cleared. Needs no bucket."""

    def __init__(self, station: Station, store: Store, paths: Paths) -> None:
        self._station, self._store, self._paths = station, store, paths
        self.due_s = float("-inf")

    def work(self) -> Talk[None]:
        """Remove them; can be repeated."""
        self.due_s = self._station.now_s + _EVERY_S
        prune(self._store, self._paths)
        yield from ()


def prune(store: Store, paths: Paths) -> None:
    """Lighten the folders of far jobs whose results were cleared."""
    for job in store.cleared():
        folder = paths.away(job.id)
        if job.place == AWAY and (folder / results.BUNDLE).exists():
            retention.lighten(folder)
