"""How do files travel without holding up anything else? In a thread beside, asked after again and again.

On a slow line a bundle takes longer than a lease. Whoever waits for it must go on showing signs of life meanwhile
(`station.Station.carry`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent import futures
from concurrent.futures import Future
from typing import Final

from appliance.federation.requests import Fetch, Reply, Request, Send, Status

#: A file that is there within this time costs no second question.
PATIENCE_S: Final = 0.2


class Carrier:
    """Performs requests; of files at most one at a time, beside. `clock` is the monotonic one that replies carry."""

    def __init__(self, perform: Callable[[Request], Reply], clock: Callable[[], float]) -> None:
        self._perform, self._clock = perform, clock
        self._load: tuple[Request, Future[Reply]] | None = None

    def perform(self, request: Request) -> Reply:
        """The answer; UNDER_WAY for a file that still travels. Raises OSError where the local disk fails."""
        if not isinstance(request, Send | Fetch):
            return self._perform(request)
        if self._load is None or self._load[0] != request:
            self._load = request, self._begin(request)
        future = self._load[1]
        if not futures.wait([future], PATIENCE_S).done:
            return Reply(Status.UNDER_WAY, self._clock())
        self._load = None
        return future.result()

    def _begin(self, request: Request) -> Future[Reply]:
        """A thread that the process need not wait for when it ends: what was sent in part is gone on with later."""
        future: Future[Reply] = Future()

        def travel() -> None:
            try:
                future.set_result(self._perform(request))
            except BaseException as error:  # noqa: BLE001 - handed to whoever asks
                future.set_exception(error)

        threading.Thread(target=travel, name="carrier", daemon=True).start()
        return future
