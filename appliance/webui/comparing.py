"""The page Compare: two jobs over each other, at an address that can be passed on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from appliance.errors import Conflict
from appliance.shapes import JobView, RobotView
from appliance.store import Store
from appliance.webui import job_views, wording
from appliance.webui.driven import Driven
from appliance.webui.job_views import Lens
from appliance.webui.store_threads import StoreThreads
from appliance.webui.web import HTML, Request, Response, Site, Templates, encode_json

#: How many of the newest jobs can be chosen from; any other by its id in the address.
_OFFERED: Final = 100


@dataclass(frozen=True)
class Comparing:
    """The page's handler."""

    templates: Templates
    driven: Driven
    store: StoreThreads
    lens: Callable[[], Lens]

    def install(self, site: Site) -> None:
        """Add the route."""
        site.route("GET", "/compare", self.page)

    def page(self, request: Request) -> Response:
        """GET /compare?a=ID&b=ID. With fewer ids it asks for the others. Raises NotFound, Conflict."""
        wanted = [request.query[key] for key in ("a", "b") if request.query.get(key)]
        jobs, offered = self.store.read(lambda rows: _chosen(rows, self.lens(), wanted))
        text = self.templates.render(
            "compare.html", title="Compare", page="jobs", robot=self._robot(jobs), words=wording, jobs=jobs,
            offered=offered, picked=_picked(jobs, offered), data=encode_json({"jobs": [{"id": job.id} for job in jobs]}).decode(),
        )  # fmt: skip
        return Response(text.encode(), content_type=HTML, headers={"Cache-Control": "no-store"})

    def _robot(self, jobs: list[JobView]) -> RobotView:
        """The robot, of the kind that all the jobs were driven on. Raises Conflict."""
        rows = self.store.read(lambda rows: [rows.get(job.id) for job in jobs])
        robots = [self.driven.robot(row) for row in rows] or [self.driven.board.robot()]
        if len({robot.kind for robot in robots}) > 1:
            kinds = " and a ".join(robot.kind for robot in robots)
            raise Conflict(
                f"These jobs were driven on a {kinds}, which can't be laid over each other. Choose two of one kind."
            )
        return robots[0]


def _picked(jobs: list[JobView], offered: list[JobView]) -> list[str]:
    """What the form shows as chosen: the jobs that were, and then the newest others."""
    ids = [job.id for job in jobs]
    return (ids + [job.id for job in offered if job.id not in ids])[:2]


def _chosen(rows: Store, lens: Lens, wanted: list[str]) -> tuple[list[JobView], list[JobView]]:
    """The jobs that are compared, and those that can be."""
    jobs = [job_views.one(rows, lens, job_id) for job_id in wanted]
    for job in jobs:
        if not job.has_bundle:
            raise Conflict(f"{wording.title(job)} has no results to compare. Choose jobs that have run.")
    recent = [job for job in job_views.page(rows, lens, _OFFERED, "").jobs if job.has_bundle]
    known = {job.id for job in recent}
    return jobs, [*(job for job in {one.id: one for one in jobs}.values() if job.id not in known), *recent]
