"""The event stream: what has happened since the browser last listened, then everything as it happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from appliance.store import Store
from appliance.webui import job_views
from appliance.webui.board import Board
from appliance.webui.hub import Hub, Lagged, Wire, rendered
from appliance.webui.job_views import Lens
from appliance.webui.store_threads import StoreThreads
from appliance.webui.watch import last_changes
from appliance.webui.web import Request, Response, Site, encode_json

#: Browsers wait this long before they connect again.
RETRY: Final = b"retry: 1000\n\n"
_QUIET_S: Final = 15.0
_REPLAYED_EVENTS: Final = 500


@dataclass(frozen=True)
class EventRoutes:
    """Handler of `GET /api/events`."""

    hub: Hub
    board: Board
    store: StoreThreads
    lens: Callable[[], Lens]

    def install(self, site: Site) -> None:
        """Add the route."""
        site.route("GET", "/api/events", self.listen)

    def listen(self, request: Request) -> Response:
        """GET /api/events, resumed after the header Last-Event-ID (or the query's `after`) if there is one."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        last = request.headers.get("Last-Event-ID") or request.query.get("after", "")
        return Response(self._stream(last, request.wire), content_type="text/event-stream", headers=headers)

    def _stream(self, last: str, wire: Wire | None) -> Iterator[bytes]:
        subscription = self.hub.subscribe(wire)  # before catching up: an event may come twice, never not at all
        yield RETRY + rendered("robot", encode_json(self.board.robot())) + self._caught_up(last)
        while True:
            try:
                # A comment keeps the connection alive, and finds out that nobody is there any more.
                yield subscription.next(_QUIET_S) or b": still here\n\n"
            except Lagged:
                return

    def _caught_up(self, last: str) -> bytes:
        seen = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else None
        return self.store.read(lambda rows: catch_up(rows, self.lens(), seen))


def catch_up(rows: Store, lens: Lens, seen: int | None) -> bytes:
    """The events after number `seen`, and the queue; where they are no longer known, the advice to load anew."""
    newest = rows.last_event()
    queue = rendered("queue", encode_json(job_views.queue(rows, lens)), newest)
    if seen is None or seen == newest:
        return queue
    events = rows.events_after(seen, _REPLAYED_EVENTS)
    if not events or events[0].seq != seen + 1 or events[-1].seq != newest:
        return rendered("reload", b"{}") + queue
    views = job_views.changed(rows, lens, last_changes(events))
    return b"".join(rendered("job", encode_json(view), seq) for seq, view in views) + queue
