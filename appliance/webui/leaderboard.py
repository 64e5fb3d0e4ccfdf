"""Who is best at the standard task? A page and the API, of jobs whose submitters gave a name for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from appliance.shapes import BoardEntry, BoardName, Leaderboard
from appliance.store import Job, Store
from appliance.webui import bodies, identity, job_views, wording
from appliance.webui.board import Board
from appliance.webui.job_views import Lens
from appliance.webui.owner_pages import form_fields
from appliance.webui.store_threads import StoreThreads
from appliance.webui.submissions import board_name
from appliance.webui.web import HTML, Refusal, Request, Response, Site, Templates, json_response, redirect

_SHOWN: Final = 100


@dataclass(frozen=True)
class LeaderboardRoutes:
    """Handlers over the store."""

    templates: Templates
    board: Board
    store: StoreThreads
    lens: Callable[[], Lens]

    def install(self, site: Site) -> None:
        """Add the routes."""
        site.route("GET", "/leaderboard", self.page)
        site.route("GET", "/api/leaderboard", lambda _request: json_response(self.store.read(standings)))
        site.route("POST", "/api/jobs/<job_id>/board", self.list)
        site.route("POST", "/jobs/<job_id>/board", self.list_from_page)

    def page(self, _request: Request) -> Response:
        """GET /leaderboard."""
        text = self.templates.render(
            "leaderboard.html", title="Leaderboard", page="jobs", robot=self.board.robot(), words=wording,
            standings=self.store.read(standings),
        )  # fmt: skip
        return Response(text.encode(), content_type=HTML, headers={"Cache-Control": "no-store"})

    def list(self, request: Request) -> Response:
        """POST /api/jobs/ID/board."""
        try:
            wish = msgspec.json.decode(bodies.read(request), type=BoardName)
        except msgspec.DecodeError as error:
            raise Refusal(400, "bad_json", f'{error}. Send JSON like {{"name": "Ada"}}.') from error
        job_id = self._name(request, wish.name)
        return json_response(self.store.read(lambda rows: job_views.one(rows, self.lens(), job_id)))

    def list_from_page(self, request: Request) -> Response:
        """The form on a job's page."""
        return redirect(f"/jobs/{self._name(request, form_fields(request).get('board_name', ''))}")

    def _name(self, request: Request, name: str) -> str:
        job_id, now_s = request.arguments["job_id"], self.lens().now_s
        job = self.store.read(lambda rows: job_views.find(rows, job_id))
        if not may_name(request, job):
            raise Refusal(
                403, "not_yours", "Only who submitted a job lists it, from where it was submitted; or the owner does."
            )
        self.store.write(lambda rows: rows.set_board_name(job.id, board_name(name), now_s))
        return job.id


def may_name(request: Request, job: Job) -> bool:
    """Whether this is the owner or whoever submitted the job: the person of the token, else the same name at the same address."""
    if request.role == "owner":
        return True
    if request.person:
        return job.submitter.rpartition("@")[0] == request.person
    return job.submitter == identity.submitter(request)


def standings(rows: Store) -> Leaderboard:
    """The leaderboard as it is."""
    entries = [
        BoardEntry(
            rank=rank, name=job.board_name, mean_return=job.standard_return or 0.0, twin_return=job.twin_return,
            at=job.started_at or job.submitted_at, robot=job.robot, job_id=job.id,
        )
        for rank, job in enumerate(rows.leaders(_SHOWN), 1)
    ]  # fmt: skip
    return Leaderboard(entries=entries, unlisted=rows.unlisted())
