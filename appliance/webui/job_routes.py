"""The HTTP API of jobs: submit, list, look, cancel, read the output, download results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from appliance import attempts
from appliance.errors import Conflict
from appliance.jobs import ACTIVE, FINAL, State
from appliance.store import Job, Search
from appliance.webui import job_files, job_views
from appliance.webui.job_files import Disk
from appliance.webui.job_views import Lens
from appliance.webui.store_threads import StoreThreads
from appliance.webui.submissions import Counter
from appliance.webui.web import JSON, TEXT, Refusal, Request, Response, Site, json_response

#: More than any job's output that is kept; a longer file is read in several requests.
MAX_LOG_BYTES: Final = 4 * 2**20
MAX_PAGE_JOBS: Final = 500
MAX_SEARCH_CHARACTERS: Final = 100
#: States that belong together for somebody who looks for jobs.
GROUPS: Final = {"open": frozenset(ACTIVE | {State.QUEUED}), "ended": FINAL}
#: What can be downloaded: its type, and whether a browser saves it instead of showing it.
DOWNLOADS: Final = {
    "result.json": JSON,
    "report.json": JSON,
    "steps.csv": "text/csv; charset=utf-8",
    "twin.csv": "text/csv; charset=utf-8",
    "bundle.zip": "application/zip",
}


@dataclass(frozen=True)
class JobRoutes:
    """Handlers over the store and the results folders."""

    store: StoreThreads
    counter: Counter
    disk: Disk
    lens: Callable[[], Lens]

    def install(self, site: Site) -> None:
        """Add the routes."""
        site.route("POST", "/api/jobs", self.submit)
        site.route("GET", "/api/jobs", self.list)
        site.route("GET", "/api/queue", self.queue)
        site.route("GET", "/api/jobs/<job_id>", self.show)
        site.route("DELETE", "/api/jobs/<job_id>", self.cancel)
        site.route("GET", "/api/jobs/<job_id>/log", self.log)
        site.route("GET", "/api/jobs/<job_id>/<file_name>", self.download)

    def submit(self, request: Request) -> Response:
        """POST /api/jobs: 201 and the job."""
        job = self.counter.take(request)
        view = self.store.read(lambda store: job_views.one(store, self.lens(), job.id))
        return json_response(view, 201, Location=f"/api/jobs/{job.id}")

    def list(self, request: Request) -> Response:
        """GET /api/jobs?limit=&before=&q=&state=: newest first; q stands in name, source or submitter."""
        limit = _number(request, "limit", 100, 1, MAX_PAGE_JOBS)
        before = request.query.get("before", "")
        search = searched(request)
        return json_response(self.store.read(lambda store: job_views.page(store, self.lens(), limit, before, search)))

    def queue(self, _request: Request) -> Response:
        """GET /api/queue: what is worked on and what waits."""
        return json_response(self.store.read(lambda store: job_views.queue(store, self.lens())))

    def show(self, request: Request) -> Response:
        """GET /api/jobs/ID."""
        job_id = request.arguments["job_id"]
        return json_response(self.store.read(lambda store: job_views.one(store, self.lens(), job_id)))

    def cancel(self, request: Request) -> Response:
        """DELETE /api/jobs/ID: cancel it; its record stays."""
        now_s = self.counter.now_s()
        job = self._find(request)
        self.store.write(lambda store: store.request_cancel(job.id, now_s))
        return self.show(request)

    def log(self, request: Request) -> Response:
        """GET /api/jobs/ID/log?from=OFFSET: the output from there on; X-Log-Size says how much there is by now."""
        job = self._find(request)
        offset = _number(request, "from", 0, 0, 2**53)
        piece = self.disk.piece(job_files.log_file(self.lens().paths, job), offset, MAX_LOG_BYTES)
        headers = {"X-Log-Size": str(piece.size_bytes), "X-Log-Attempt": str(job.attempt), "Cache-Control": "no-store"}
        return Response(piece.content, content_type=TEXT, headers=headers)

    def download(self, request: Request) -> Response:
        """GET /api/jobs/ID/result.json, report.json, steps.csv, bundle.zip."""
        name = request.arguments["file_name"]
        if name not in DOWNLOADS:
            raise Refusal(404, "not_found", f"A job has no {name!r}. There are log, {', '.join(DOWNLOADS)}.")
        job = self._find(request)
        folder = attempts.results_folder(self.lens().paths, job)
        if folder is None:
            raise Conflict(_no_results(job))
        try:
            stream = self.disk.open(folder / name)
        except OSError:
            if job.cleared_at is not None:
                raise Refusal(410, "cleared", "The data of this run were cleared to make room on the disk.") from None
            # absent, or a link where a file belongs
            raise Refusal(404, "not_found", f"This job left no {name}.") from None
        shown = f'attachment; filename="{job.id}-{name}"' if "inline" not in request.query else "inline"
        headers = {
            "Content-Length": str(stream.size_bytes),
            "Content-Disposition": shown,
            "Cache-Control": "private, no-cache",
        }
        return Response(stream, content_type=DOWNLOADS[name], headers=headers)

    def _find(self, request: Request) -> Job:
        job_id = request.arguments["job_id"]
        return self.store.read(lambda store: job_views.find(store, job_id))


def searched(request: Request) -> Search:
    """What the query asks for. `state` is a state, or one of the groups of them."""
    wanted = request.query.get("state", "")
    if wanted and wanted not in GROUPS and wanted not in set(State):
        known = ", ".join((*GROUPS, *State))
        raise Refusal(400, "bad_state", f"There is no state {wanted[:40]!r}; there are {known}.")
    states = GROUPS[wanted] if wanted in GROUPS else frozenset({State(wanted)} if wanted else ())
    return Search(request.query.get("q", "").strip()[:MAX_SEARCH_CHARACTERS], states)


def _no_results(job: Job) -> str:
    if job.state.is_final:
        return f"This job {'was' if job.state == 'cancelled' else 'has'} {job.state} before it had results; its page says why."
    return f"The results don't exist yet: the job is {job.state.replace('_', ' ')}. Ask again when it has ended."


def _number(request: Request, name: str, default: int, low: int, high: int) -> int:
    text = request.query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 20 or not low <= int(text) <= high:
        raise Refusal(400, "bad_number", f"{name} must be a whole number from {low} to {high}, not {text[:40]!r}.")
    return int(text)
