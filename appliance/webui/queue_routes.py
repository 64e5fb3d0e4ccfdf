"""The owner's hand on the queue over HTTP: pause it, let it go on, move a job, keep a job's results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from appliance import facts
from appliance.errors import Conflict
from appliance.shapes import MoveJob, PinJob
from appliance.store import Store
from appliance.webui import bodies, job_views
from appliance.webui.job_images import JobImages
from appliance.webui.job_views import Lens
from appliance.webui.store_threads import StoreThreads
from appliance.webui.web import Refusal, Request, Response, Site, json_response, redirect


@dataclass(frozen=True)
class QueueRoutes:
    """Handlers over the store; each of them as API and as a form of a page."""

    store: StoreThreads
    lens: Callable[[], Lens]
    images: JobImages

    def install(self, site: Site) -> None:
        """Add the routes."""
        site.route("GET", "/api/images", lambda _: json_response(self.images.views()))
        site.route("POST", "/api/queue/pause", self.pause)
        site.route("POST", "/api/queue/resume", self.resume)
        site.route("POST", "/api/jobs/<job_id>/move", self.move)
        site.route("POST", "/api/jobs/<job_id>/pin", self.pin)
        site.route("POST", "/queue/pause", lambda request: _home(self.pause(request)))
        site.route("POST", "/queue/resume", lambda request: _home(self.resume(request)))
        site.route("POST", "/jobs/<job_id>/next", lambda request: self._page(request, lambda: self._move(request, 1)))
        site.route("POST", "/jobs/<job_id>/pin", lambda request: self._page(request, lambda: self._pin(request, True)))
        site.route(
            "POST", "/jobs/<job_id>/unpin", lambda request: self._page(request, lambda: self._pin(request, False))
        )

    def pause(self, _request: Request) -> Response:
        """POST /api/queue/pause: what drives goes on to its end, nothing else is started."""
        now_s = self.lens().now_s
        self.store.write(lambda store: store.set_fact(facts.QUEUE_PAUSED, facts.PAUSED_BY_OWNER, now_s))
        return self._queue()

    def resume(self, _request: Request) -> Response:
        """POST /api/queue/resume. Raises Conflict during an emergency stop."""
        now_s = self.lens().now_s

        def go_on(store: Store) -> None:
            if store.fact(facts.QUEUE_PAUSED) == facts.PAUSED_BY_STOP:
                raise Conflict("The queue waits for the end of an emergency stop. Resume the robot, then it goes on.")
            store.set_fact(facts.QUEUE_PAUSED, "", now_s)

        self.store.write(go_on)
        return self._queue()

    def move(self, request: Request) -> Response:
        """POST /api/jobs/ID/move: put a waiting job at a position of the queue."""
        self._move(request, _body(request, MoveJob, '{"position": 1}').position)
        return self._job(request)

    def pin(self, request: Request) -> Response:
        """POST /api/jobs/ID/pin: keep its results when room is made, or no longer."""
        self._pin(request, _body(request, PinJob, '{"pinned": true}').pinned)
        return self._job(request)

    def _move(self, request: Request, position: int) -> None:
        now_s, job_id = self.lens().now_s, self._found(request)
        self.store.write(lambda store: store.reorder(job_id, position, now_s))

    def _pin(self, request: Request, pinned: bool) -> None:
        now_s, job_id = self.lens().now_s, self._found(request)
        self.store.write(lambda store: store.pin(job_id, pinned, now_s))

    def _found(self, request: Request) -> str:
        return self.store.read(lambda store: job_views.find(store, request.arguments["job_id"])).id

    def _job(self, request: Request) -> Response:
        return json_response(self.store.read(lambda s: job_views.one(s, self.lens(), request.arguments["job_id"])))

    def _queue(self) -> Response:
        return json_response(self.store.read(lambda store: job_views.queue(store, self.lens())))

    def _page(self, request: Request, change: Callable[[], None]) -> Response:
        change()
        return redirect(f"/jobs/{self._found(request)}")


def _home(_answer: Response) -> Response:
    return redirect("/")


def _body(request: Request, shape: type[Any], example: str) -> Any:
    try:
        return msgspec.json.decode(bodies.read(request), type=shape)
    except msgspec.DecodeError as error:
        raise Refusal(400, "bad_json", f"{error}. Send JSON like {example}.") from error
