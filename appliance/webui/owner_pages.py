"""The owner's pages: services, hardware check, disk, logs, support bundle. Looking is done by a child process."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final
from urllib.parse import parse_qsl

from appliance.care import service_logs, services
from appliance.care.disk_use import DiskUse
from appliance.care.finding import Diagnosis
from appliance.care.service_logs import Words
from appliance.errors import Conflict, NotFound
from appliance.paths import Paths
from appliance.units import UnitError
from appliance.webui import bodies, identity, wording
from appliance.webui.board import Board
from appliance.webui.owner_looks import Looks
from appliance.webui.web import HTML, Refusal, Request, Response, Site, Templates, json_response

_LOG = logging.getLogger("webui")
_LINES: Final = (200, 1000, 5000)
_SOON_S: Final = 3
_VERDICTS: Final = {"ok": "Works", "warning": "Could be better", "failed": "Failed", "unknown": "Not seen"}
#: Page -> title, and what it is for.
ROOMS: Final = {
    "welcome": ("First steps", "A name, who may submit, calibration, a first job."),
    "settings": ("Settings", "Name, who may submit, running time, room on the disk."),
    "people": ("People", "Tokens for who may submit or help to look after it; your password."),
    "services": ("Services", "How they are; start, stop, restart."),
    "check": ("Hardware check", "What works on this machine, and what to do about the rest."),
    "calibration": ("Calibration", "Let the robot move, fit its model, compare measured and fitted."),
    "disk": ("Disk", "What takes how much."),
    "logs": ("Logs", "What the services have said lately."),
    "hooks": ("Webhooks", "Who is told when a job has ended, and how that went."),
    "support": ("Support bundle", "Diagnosis, versions, settings and logs in one file, without secrets."),
}


@dataclass(frozen=True)
class OwnerFrame:
    """What all of the owner's pages share: how they are drawn."""

    templates: Templates
    board: Board
    now_s: Callable[[], float]

    def page(self, room: str, status: int = 200, **values: object) -> Response:
        """The page of a room, or with '' the overview."""
        title = ROOMS[room][0] if room else "Owner"
        text = self.templates.render(
            f"owner_{room or 'overview'}.html", title=title, page="owner", room=room, rooms=ROOMS, robot=self.board.robot(),
            words=wording, now_s=self.now_s(), size=size, **values,
        )  # fmt: skip
        return Response(text.encode(), status, HTML, {"Cache-Control": "no-store"})


@dataclass(frozen=True)
class OwnerPages:
    """Handlers over the looks and the services. job_runs: whether a job drives the robot now."""

    paths: Paths
    frame: OwnerFrame
    looks: Looks
    job_runs: Callable[[], bool]

    def install(self, site: Site) -> None:
        """Add the routes."""
        site.route("GET", "/owner", lambda _request: self.frame.page(""))
        site.route("GET", "/owner/services", self.services_page)
        site.route("POST", "/owner/services/<name>/<verb>", self.act)
        site.route("GET", "/owner/check", self.check_page)
        site.route("GET", "/owner/disk", self.disk_page)
        site.route("GET", "/owner/logs", self.logs_page)
        site.route("GET", "/owner/support", self.support_page)
        site.route("GET", "/owner/support.zip", self.support_bundle)
        site.route("GET", "/api/owner/services", lambda _request: json_response(services.overview(self.paths)))
        site.route("GET", "/api/owner/doctor", lambda _request: json_response(self.looks.at(Diagnosis, "doctor")))

    def services_page(self, _request: Request) -> Response:
        """All services, with what may be asked of each."""
        return self.frame.page("services", found=services.overview(self.paths))

    def act(self, request: Request) -> Response:
        """Start, stop or restart; asks once more where a job or the page itself would be cut off."""
        name, verb = request.arguments["name"], request.arguments["verb"]
        if name not in services.TASKS:
            raise NotFound(f"There is no service {name[:40]!r}; the page Services lists them.")
        cost = self._cost(name, verb)
        if cost and form_fields(request).get("sure") != "yes":
            return self.frame.page("services", found=services.overview(self.paths), ask=(name, verb, cost))
        try:
            said = services.act(self.paths, verb, name, wait=False)
        except UnitError as error:
            raise Conflict(str(error)) from error
        _LOG.info("%s asked: %s %s", identity.submitter(request), verb, name)
        answer = self.frame.page("services", found=services.overview(self.paths), said=said)
        return _with(answer, {"Refresh": f"{_SOON_S}; url=/owner/services"})

    def check_page(self, _request: Request) -> Response:
        """What `raas doctor` says, as far as the page's user sees it."""
        found = self.looks.at(Diagnosis, "doctor")
        areas = [(area, list(rows)) for area, rows in groupby(found.findings, key=lambda row: row.area)]
        return self.frame.page("check", found=found, areas=areas, verdicts=_VERDICTS)

    def disk_page(self, _request: Request) -> Response:
        """What takes how much."""
        return self.frame.page("disk", use=self.looks.at(DiskUse, "disk"))

    def logs_page(self, request: Request) -> Response:
        """The last lines of one service."""
        service, wanted = request.query.get("service", "webui"), request.query.get("lines", "")
        if service not in service_logs.SERVICES:
            raise Refusal(
                404, "not_found", f"There is no log of that name; there are {', '.join(service_logs.SERVICES)}."
            )
        lines = int(wanted) if re.fullmatch(r"\d{1,4}", wanted) else _LINES[0]
        found = self.looks.at(Words, "logs", "--service", service, "--lines", str(max(1, min(lines, _LINES[-1]))))
        return self.frame.page(
            "logs", found=found, service=service, services=service_logs.SERVICES, lines=lines, choices=_LINES
        )

    def support_page(self, _request: Request) -> Response:
        """What the bundle holds, and the way to it."""
        return self.frame.page("support")

    def support_bundle(self, _request: Request) -> Response:
        """The zip file, made now."""
        content = self.looks.raw("bundle")
        name = bundle_name(self.frame.board.robot().name, self.frame.now_s())
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Response(content, content_type="application/zip", headers=headers)

    def _cost(self, name: str, verb: str) -> str:
        """What would be cut off, as a sentence; '' if nothing."""
        if verb in ("stop", "restart") and name in services.INTERRUPTING and self.job_runs():
            return (
                "A job is driving the robot. It is interrupted and starts again, once; interrupted twice it has failed."
            )
        if verb == "stop" and name in ("appliance", "webui"):
            return "This page goes away, too. `raas services start appliance`, as root on the machine, brings it back."
        if verb == "stop" and name in services.INTERRUPTING:
            return "No job can run until it is started again."
        return ""


def form_fields(request: Request) -> dict[str, str]:
    """A small form's fields. Raises Refusal where it is no small form."""
    return dict(parse_qsl(bodies.read(request).decode(errors="replace"), keep_blank_values=True))


def _with(answer: Response, headers: Mapping[str, str]) -> Response:
    """The same answer with more headers."""
    return Response(answer.body, answer.status, answer.content_type, {**answer.headers, **headers})


def size(number: int) -> str:
    """Bytes for people, such as 3.2 MiB."""
    value, unit = float(number), "B"
    for larger in ("KiB", "MiB", "GiB"):
        if value >= 1024:
            value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def bundle_name(name: str, at_s: float) -> str:
    """What to call a support bundle, such as raas-support-pendulum-20261122-1631.zip."""
    plain = "".join(character if character.isalnum() and character.isascii() else "-" for character in name.lower())
    return f"raas-support-{plain.strip('-') or 'robot'}-{time.strftime('%Y%m%d-%H%M', time.gmtime(at_s))}.zip"
