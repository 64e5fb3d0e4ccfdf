"""A run as a GIF: asked for on its page, drawn by the runner while the robot is idle, at a link that can be passed on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from appliance import attempts
from appliance.errands import book
from appliance.errands.book import Drawn
from appliance.errors import Conflict
from appliance.paths import Paths
from appliance.shapes import Animation
from appliance.store import Job
from appliance.webui import job_files, job_views
from appliance.webui.errands_asked import ErrandsAsked
from appliance.webui.job_files import Disk
from appliance.webui.store_threads import StoreThreads
from appliance.webui.web import Refusal, Request, Response, Site, json_response, redirect

#: Drawings that wait at the same time.
MOST_WAITING: Final = 20


@dataclass(frozen=True)
class Animations:
    """The handlers. now_s: the wall clock."""

    paths: Paths
    store: StoreThreads
    errands: ErrandsAsked
    disk: Disk
    now_s: Callable[[], float]

    def install(self, site: Site) -> None:
        """Add the routes."""
        site.route(
            "GET", "/api/jobs/<job_id>/animation", lambda request: json_response(self._state(self._job(request)))
        )
        site.route("POST", "/api/jobs/<job_id>/animation", self.ask)
        site.route("POST", "/jobs/<job_id>/animation", self.ask_from_page)
        site.route("GET", "/jobs/<job_id>/run.gif", self.show)

    def ask(self, request: Request) -> Response:
        """POST /api/jobs/ID/animation: 202 and how far it is; asking again changes nothing."""
        job = self._job(request)
        self._want(job)
        return json_response(self._state(job), 202)

    def ask_from_page(self, request: Request) -> Response:
        """The form of a browser without scripts."""
        job = self._job(request)
        self._want(job)
        return redirect(f"/jobs/{job.id}")

    def show(self, request: Request) -> Response:
        """GET /jobs/ID/run.gif."""
        job = self._job(request)
        try:
            stream = self.disk.open(self.paths.animation(job.id))
        except OSError:
            raise Refusal(404, "not_drawn", "This run isn't drawn, or no longer; its page draws it.") from None
        headers = {
            "Content-Length": str(stream.size_bytes),
            "Content-Disposition": f'inline; filename="{job.id}.gif"',
            "Cache-Control": "public, max-age=3600",
        }
        return Response(stream, content_type="image/gif", headers=headers)

    def _want(self, job: Job) -> None:
        if attempts.results_folder(self.paths, job) is None or job.cleared_at is not None:
            raise Conflict("Only a run that has ended and whose data are here can be drawn.")
        if self._state(job).state != "ready":
            self.errands.ask(book.DRAW, job.id, self.now_s(), 0.0, MOST_WAITING)

    def _state(self, job: Job) -> Animation:
        if size := job_files.size_bytes(self.paths.animation(job.id)):
            return Animation(state="ready", sentence="", url=f"/jobs/{job.id}/run.gif", size_bytes=size)
        errand = self.errands.call(lambda opened: opened.find(book.DRAW, job.id))
        if errand is None:
            return Animation(state="none", sentence="")
        if errand.done_at is not None:
            drawn = msgspec.json.decode(errand.answer, type=Drawn)
            if drawn.ok:
                return Animation(state="none", sentence="It was removed to make room. It can be drawn again.")
            return Animation(state="failed", sentence=drawn.sentence)
        if errand.begun_at is not None:
            return Animation(state="drawing", sentence="It is being drawn, which may take a minute or two.")
        ahead = self.errands.call(lambda opened: opened.ahead(errand))
        line = f" {ahead} {'is' if ahead == 1 else 'are'} drawn before it." if ahead else ""
        return Animation(state="waiting", sentence=f"It will be ready when the robot is idle.{line}")

    def _job(self, request: Request) -> Job:
        return self.store.read(lambda rows: job_views.find(rows, request.arguments["job_id"]))
