"""The fleet's page and API: what the fleet's process knows, and jobs that go to whichever robot is idle."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import msgspec

from appliance import facts, ulid
from appliance.config import Config
from appliance.errors import BadSource, Conflict
from appliance.federation import site
from appliance.federation.wish import Wish
from appliance.fleet_shapes import FleetView, SubmitGitToFleet
from appliance.intake import git_url
from appliance.store import AWAY, Job, NewJob
from appliance.terminal import line
from appliance.webui import bodies, identity, job_views, wording
from appliance.webui.board import Board
from appliance.webui.job_routes import JobRoutes
from appliance.webui.store_threads import StoreThreads
from appliance.webui.submissions import MAX_WAITING
from appliance.webui.uploads import Form, Inbox
from appliance.webui.web import HTML, Refusal, Request, Response, Site, Templates, json_response, redirect

#: How often the page of a job that is away is told of it, s.
LIVE_S: Final = 5.0
_EXAMPLE: Final = "Give tags as words with letters, digits, dots and hyphens, such as 'camera'."


@dataclass(frozen=True)
class FleetRoutes:
    """Handlers of everything about the fleet."""

    config: Config
    templates: Templates
    board: Board
    store: StoreThreads
    inbox: Inbox
    jobs: JobRoutes

    def install(self, site: Site) -> None:
        """Add the routes."""
        site.route("GET", "/fleet", self.page)
        site.route("GET", "/api/fleet", self.show)
        site.route("POST", "/fleet/jobs", self.submit_form)
        site.route("POST", "/api/fleet/jobs", self.submit)

    def page(self, _request: Request) -> Response:
        """Robots, queue, latest jobs, what was refused."""
        text = self.templates.render(
            "fleet.html", title="Fleet", page="fleet", fleet=self._view(), robot=self.board.robot(), words=wording,
            now_s=time.time(), sparkline=site.sparkline, section=self.config.federation,
        )  # fmt: skip
        return Response(text.encode(), content_type=HTML, headers={"Cache-Control": "no-store"})

    def show(self, _request: Request) -> Response:
        """GET /api/fleet."""
        return json_response(self._view())

    def submit(self, request: Request) -> Response:
        """POST /api/fleet/jobs: a form with `archive`, `name`, `tags`, `counts_per_turn`, `urgent`, `live`; 201 and the job."""
        job = self._take(request)
        view = self.store.read(lambda rows: job_views.one(rows, self.jobs.lens(), job.id))
        return json_response(view, 201, Location=f"/api/jobs/{job.id}")

    def submit_form(self, request: Request) -> Response:
        """The form of a browser without scripts."""
        return redirect(f"/jobs/{self._take(request).id}")

    def _view(self) -> FleetView:
        """What is known; and the fleet's process hears that somebody looks."""
        if not self.config.federation.bucket:
            return FleetView(state="off", sentence="This appliance belongs to no fleet.")
        self.store.write(lambda rows: rows.set_fact(facts.FLEET_WANTED, f"{time.time():.0f}", 0.0, announce=False))
        try:
            return msgspec.json.decode(self.store.read(lambda rows: rows.fact(facts.FLEET_STATUS)), type=FleetView)
        except msgspec.DecodeError:
            return FleetView(state="silent", sentence="The fleet's process hasn't said anything yet.")

    def _take(self, request: Request) -> Job:
        if not self.config.federation.bucket:
            raise Conflict("This appliance belongs to no fleet. Its owner makes it join one with `raas fleet join`.")
        if self.store.read(lambda rows: len(rows.away())) >= MAX_WAITING:
            raise Refusal(
                503, "queue_full", f"{MAX_WAITING} jobs are in the fleet already. Submit yours when some are back."
            )
        now_s = time.time()
        if request.headers.get("Content-Type", "").lower().startswith("application/json"):
            new = self._new(Form(_fields(bodies.read(request))), request)
            return self.store.write(lambda rows: rows.add(new, now_s))
        job_id = ulid.new(now_s)
        form = self.inbox.receive(request, job_id)
        try:
            new = self._new(form, request)
            return self.store.write(lambda rows: rows.add(new, now_s, job_id))
        except BaseException:
            self.inbox.discard(job_id)
            raise

    def _new(self, form: Form, request: Request) -> NewJob:
        """A row for what a form brings. A repository is fetched and packed here, so that every robot runs the same bytes."""
        kind, source, ref = "archive", form.archive_name, ""
        if not form.archive_name:
            if not form.fields.get("git_url", "").strip():
                raise BadSource(
                    "Nothing was submitted. Give the URL of a git repository, or an archive or folder that isn't empty."
                )
            kind, ref = "git", git_url.check_ref(form.fields.get("ref", "").strip())
            source = git_url.parse(form.fields["git_url"].strip(), self.config.fetch.allow_http).text
        name = " ".join(line(form.fields.get("name", "")).split())[:80]
        return NewJob(
            kind, source, identity.submitter(request), ref=ref, name=name, image=self.config.job.image, place=AWAY,
            wish=msgspec.json.encode(wish(form.fields)),
        )  # fmt: skip


def _fields(body: bytes) -> dict[str, str]:
    """The JSON of a repository as the fields of the form that asks for the same. Raises Refusal."""
    try:
        given = msgspec.to_builtins(msgspec.json.decode(body, type=SubmitGitToFleet))
    except msgspec.DecodeError as error:
        example = '{"git_url": "https://example.org/you/pendulum.git", "ref": "main", "tags": "camera"}'
        raise Refusal(400, "bad_json", f"{error}. Send JSON like {example}.") from error
    return {key: str(value) for key, value in given.items() if value}


def wish(fields: dict[str, str]) -> Wish:
    """What a form asks of the fleet. Raises Refusal."""
    counts = fields.get("counts_per_turn", "").strip() or "0"
    given = {
        "tags": fields.get("tags", "").replace(",", " ").split(),
        "counts_per_turn": int(counts) if counts.isascii() and counts.isdigit() and len(counts) < 10 else -1,
        "priority": int(bool(fields.get("urgent"))),
        "live_s": LIVE_S if fields.get("live") else 0.0,
    }
    try:
        return msgspec.convert(given, Wish)
    except msgspec.ValidationError as error:
        raise Refusal(400, "bad_wish", f"{error}. {_EXAMPLE}") from error
