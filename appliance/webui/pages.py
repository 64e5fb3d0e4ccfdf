"""The pages that people see. Each is complete as it is served; scripts only keep it up to date."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from appliance.config import Config
from appliance.paths import Paths
from appliance.shapes import JobView, QueueView
from appliance.webui import job_files, job_routes, job_views, leaderboard, samples, wording
from appliance.webui.board import Board
from appliance.webui.camera_routes import CameraRoutes
from appliance.webui.driven import Driven
from appliance.webui.job_files import Disk
from appliance.webui.job_images import JobImages
from appliance.webui.job_views import Lens
from appliance.webui.robot_routes import RobotRoutes
from appliance.webui.store_threads import StoreThreads
from appliance.webui.submissions import Counter
from appliance.webui.web import HTML, Request, Response, Site, Templates, encode_json, redirect

PAGE_JOBS: Final = 50
_TAIL_BYTES: Final = 16 * 1024


@dataclass(frozen=True)
class Pages:
    """Handlers that answer with a page, or with the way to one."""

    config: Config
    paths: Paths
    templates: Templates
    board: Board
    store: StoreThreads
    counter: Counter
    disk: Disk
    robot: RobotRoutes
    lens: Callable[[], Lens]
    images: JobImages
    driven: Driven
    camera: CameraRoutes

    def install(self, site: Site) -> None:
        """Add the routes."""
        site.route("GET", "/", self.robot_page)
        site.route("GET", "/submit", self.submit_page)
        site.route("POST", "/submit", self.submit)
        site.route("GET", "/jobs", self.jobs_page)
        site.route("GET", "/jobs/<job_id>", self.job_page)
        site.route("POST", "/jobs/<job_id>/cancel", self.cancel)
        site.route("POST", "/stop", self.stop)
        site.route("POST", "/resume", self.resume)

    def robot_page(self, _request: Request) -> Response:
        """The robot, live, and the queue."""
        queue: QueueView = self.store.read(lambda rows: job_views.queue(rows, self.lens()))
        camera = self.camera.view() if self.config.camera.url else None
        return self._page("robot.html", "Robot", "robot", queue=queue, camera=camera, data={"queue": queue})

    def submit_page(self, request: Request) -> Response:
        """A form for a repository or an archive; a link may fill in the repository's."""
        given = {key: request.query.get(key, "") for key in ("git_url", "ref", "name")}
        fetch = self.config.fetch
        data = {"max_bytes": fetch.max_upload_mb * 2**20, "max_files": fetch.max_files, "allow_http": fetch.allow_http}
        return self._page(
            "submit.html",
            "Submit",
            "submit",
            data=data,
            images=self.images.views(),
            given=given,
            samples=samples.views(),
        )

    def submit(self, request: Request) -> Response:
        """The form of a browser without scripts."""
        return redirect(f"/jobs/{self.counter.take(request).id}")

    def jobs_page(self, request: Request) -> Response:
        """All jobs, newest first, page by page."""
        before = request.query.get("before", "")
        search = job_routes.searched(request)
        listed = self.store.read(lambda rows: job_views.page(rows, self.lens(), PAGE_JOBS, before, search))
        query = urlencode({key: request.query[key] for key in ("q", "state") if request.query.get(key)})
        return self._page(
            "jobs.html", "Jobs", "jobs", listed=listed, before=before, query=query, text=search.text,
            state=request.query.get("state", ""), data={"live": not before and not query, "query": query},
        )  # fmt: skip

    def job_page(self, request: Request) -> Response:
        """One job: its state, its output, and afterwards its data."""
        job_id = request.arguments["job_id"]
        row = self.store.read(lambda rows: job_views.find(rows, job_id))
        view: JobView = self.store.read(lambda rows: job_views.one(rows, self.lens(), job_id))
        path = job_files.log_file(self.paths, row)
        tail = self.disk.piece(path, max(0, view.log_bytes - _TAIL_BYTES), _TAIL_BYTES).content
        title = view.name or wording.source(view)
        again = urlencode({"git_url": view.source, "ref": view.ref, "name": view.name})
        return self._page(
            "job.html",
            title,
            "jobs",
            job=view,
            tail=wording.plain_output(tail),
            again=again,
            data={"job": view},
            may_name=leaderboard.may_name(request, row),
            robot=self.driven.robot(row),
        )

    def cancel(self, request: Request) -> Response:
        """The cancel button of a browser without scripts."""
        job_id = request.arguments["job_id"]
        now_s = self.counter.now_s()
        job = self.store.read(lambda rows: job_views.find(rows, job_id))
        self.store.write(lambda rows: rows.request_cancel(job.id, now_s))
        return redirect(f"/jobs/{job.id}")

    def stop(self, request: Request) -> Response:
        """The stop button of a browser without scripts."""
        self.robot.stop(request, "")
        return redirect("/")

    def resume(self, request: Request) -> Response:
        """The resume button of a browser without scripts."""
        self.robot.resume(request)
        return redirect("/")

    def _page(self, template: str, title: str, page: str, *, data: object, **values: object) -> Response:
        shared: dict[str, object] = {
            "robot": self.board.robot(),
            "words": wording,
            "now_s": self.counter.now_s(),
        }
        text = self.templates.render(
            template, title=title, page=page, data=encode_json(data).decode(), **(shared | values)
        )
        return Response(text.encode(), content_type=HTML, headers={"Cache-Control": "no-store"})
