"""What does the HTTP API promise? One OpenAPI document, made of the shapes that handlers take and give.

`CONTRACT` has one line per address; a test holds it against the routes, and others hold the answers against the document.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any, Final

import msgspec

from appliance.care.finding import Diagnosis
from appliance.care.services import Services
from appliance.fleet_shapes import FleetView, SubmitGitToFleet
from appliance.jobs import State
from appliance.lease_shapes import LeasePerson, LeaseView
from appliance.shapes import (
    Animation,
    BoardName,
    CameraView,
    CheckGit,
    GitSeen,
    Health,
    Hooks,
    HookView,
    HookWish,
    ImageView,
    JobPage,
    JobView,
    Leaderboard,
    Motion,
    MoveJob,
    NewToken,
    PinJob,
    Problem,
    QueueView,
    Recording,
    Result,
    RobotView,
    SampleView,
    SubmitGit,
    TokenView,
    TokenWish,
)
from appliance.webui.doorkeeper import Role, needed
from appliance.webui.gatekeeper import READING
from appliance.webui.job_routes import DOWNLOADS, GROUPS, MAX_PAGE_JOBS, MAX_SEARCH_CHARACTERS
from appliance.webui.robot_routes import StopWish

_REFERENCE: Final = "#/components/schemas/{name}"
_JSON: Final = "application/json"
_ALWAYS: Final = (400, 401, 403, 421)  # said before any handler is asked
_WRITING: Final = (413, 415)  # as are these, but not of a stop
_SLOW: Final = (408,)
_PARAMETERS: Final[dict[str, dict[str, Any]]] = {
    "job_id": {"type": "string", "pattern": "^[0-9A-HJKMNP-TV-Z]{26}$"},
    "hook_id": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
    "file_name": {"enum": list(DOWNLOADS)},
    "name": {"type": "string", "minLength": 1, "maxLength": 40},
    "attempt": {"type": "integer", "minimum": 1, "maximum": 9},
    "number": {"type": "integer", "minimum": 0, "maximum": 10**9},
}
_QUERIES: Final[dict[str, dict[str, Any]]] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_JOBS, "default": 100},
    "before": {"type": "string", "description": "`next` of the page before"},
    "q": {"type": "string", "maxLength": MAX_SEARCH_CHARACTERS, "description": "stands in name, source or submitter"},
    "state": {"enum": [*GROUPS, *State]},
    "from": {"type": "integer", "minimum": 0, "maximum": 2**53, "default": 0, "description": "offset in bytes"},
    "than": {
        "type": "integer",
        "minimum": 0,
        "maximum": 2**53,
        "default": 0,
        "description": "number of the last picture seen: wait for a newer one",
    },
    "after": {"type": "string", "description": "number of the last event seen; the header Last-Event-ID says the same"},
}


@dataclass(frozen=True)
class Operation:
    """One line of the contract. answer: a shape, or a media type. body: a shape, or None. refusals: further statuses.

    empty: statuses of good answers without content.
    """

    method: str
    rule: str
    summary: str
    answer: Any
    body: Any = None
    query: tuple[str, ...] = ()
    status: int = 200
    refusals: tuple[int, ...] = ()
    form: tuple[str, ...] = ()
    empty: tuple[int, ...] = ()

    @property
    def path(self) -> str:
        """The rule as OpenAPI writes it."""
        return re.sub(r"<(\w+)>", r"{\1}", self.rule)

    @property
    def role(self) -> Role:
        """The least role that may ask."""
        return needed(self.method, self.rule)


_JOB: Final = "/api/jobs/<job_id>"
CONTRACT: Final = (
    Operation("GET", "/api/robot", "What the robot is doing, and why", RobotView),
    Operation("GET", "/api/robot/motion", "The last seconds of its movement", Motion),
    Operation("GET", "/api/robot.yaml", "Its parameters, limits and their provenance", "application/yaml"),
    Operation(
        "POST", "/api/robot/stop", "Emergency stop, latched; needs no login", RobotView, StopWish, refusals=(503,)
    ),
    Operation("POST", "/api/robot/resume", "Clear an emergency stop or a fault", RobotView, refusals=(503,)),
    Operation("GET", "/api/queue", "What is being worked on, and what waits", QueueView),
    Operation("POST", "/api/queue/pause", "Start no further job", QueueView),
    Operation("POST", "/api/queue/resume", "Go on with the queue", QueueView, refusals=(409,)),
    Operation("GET", "/api/jobs", "Jobs, newest first", JobPage, query=("limit", "before", "q", "state")),
    Operation(
        "POST",
        "/api/jobs",
        "Queue a repository, or as a form an archive or a sample's name",
        JobView,
        SubmitGit,
        status=201,
        refusals=(404, 408, 503, 507),
        form=("archive", "sample", "name", "image", "preflight", "board_name"),
    ),
    Operation(
        "POST",
        "/api/git/check",
        "What stands at a repository's address, before it is submitted",
        GitSeen,
        CheckGit,
        refusals=(429, 503),
    ),
    Operation("GET", _JOB, "One job", JobView, refusals=(404,)),
    Operation("DELETE", _JOB, "Cancel a job; its record stays", JobView, refusals=(404, 409)),
    Operation(
        "POST", f"{_JOB}/move", "Give a waiting job another place in the queue", JobView, MoveJob, refusals=(404, 409)
    ),
    Operation("POST", f"{_JOB}/pin", "Keep a job's data when room is made", JobView, PinJob, refusals=(404, 409)),
    Operation(
        "GET",
        f"{_JOB}/log",
        "What a job has printed, from an offset on",
        "text/plain",
        query=("from",),
        refusals=(404,),
    ),
    Operation(
        "GET",
        f"{_JOB}/<file_name>",
        "Download a job's data; result.json has this shape",
        Result,
        refusals=(404, 409, 410),
    ),
    Operation(
        "POST", f"{_JOB}/again", "Run a job's program once more", JobView, status=201, refusals=(404, 409, 503, 507)
    ),
    Operation("GET", f"{_JOB}/animation", "How far a run's GIF is", Animation, refusals=(404,)),
    Operation(
        "POST",
        f"{_JOB}/animation",
        "Have a run drawn as a GIF, when the robot is idle",
        Animation,
        status=202,
        refusals=(404, 409, 503),
    ),
    Operation("GET", "/jobs/<job_id>/run.gif", "The GIF, once it is ready", "image/gif", refusals=(404,)),
    Operation("GET", "/api/camera", "Whether a camera looks at the robot", CameraView),
    Operation(
        "GET",
        "/api/camera/picture",
        "Its newest picture, numbered in the header Picture-Number; 204 where none newer came in a while",
        "image/jpeg",
        query=("than",),
        empty=(204,),
    ),
    Operation("GET", f"{_JOB}/camera", "What the camera saw of a run", Recording, refusals=(404,)),
    Operation("GET", "/jobs/<job_id>/camera.mjpeg", "All its pictures", "video/x-motion-jpeg", refusals=(404,)),
    Operation("GET", "/jobs/<job_id>/camera/<attempt>/<number>", "One of its pictures", "image/jpeg", refusals=(404,)),
    Operation("GET", "/api/leaderboard", "Returns of the standard task, the best first", Leaderboard),
    Operation(
        "POST", f"{_JOB}/board", "List a job of one's own on the leaderboard", JobView, BoardName, refusals=(404,)
    ),
    Operation("GET", "/api/samples", "Programs to start from", list[SampleView]),
    Operation("GET", "/api/samples/<name>/run.py", "One of them", "text/x-python", refusals=(404,)),
    Operation("GET", "/api/images", "What a program finds installed", list[ImageView]),
    Operation(
        "GET", "/api/events", "Everything as it happens, as server-sent events", "text/event-stream", query=("after",)
    ),
    Operation("GET", "/api/tokens", "Who holds a token", list[TokenView]),
    Operation(
        "POST", "/api/tokens", "Hand out a token; told this once", NewToken, TokenWish, status=201, refusals=(409,)
    ),
    Operation("DELETE", "/api/tokens/<name>", "Take a token back", list[TokenView], refusals=(404, 409)),
    Operation("GET", "/api/lease", "Whether and where programs elsewhere may drive", LeaseView),
    Operation("GET", "/api/lease/people", "Who may drive over the network", list[LeasePerson]),
    Operation("DELETE", "/api/lease/people/<name>", "Let somebody drive no longer", list[LeasePerson], refusals=(404,)),
    Operation("GET", "/api/fleet", "The fleet that this robot belongs to", FleetView),
    Operation(
        "POST",
        "/api/fleet/jobs",
        "Send a repository, or as a form an archive, to whichever robot of the fleet is idle",
        JobView,
        SubmitGitToFleet,
        status=201,
        refusals=(408, 409, 415, 503, 507),
        form=("archive", "name", "tags", "counts_per_turn", "urgent", "live"),
    ),
    Operation("GET", "/api/owner/services", "The services and how they are", Services),
    Operation("GET", "/api/owner/doctor", "What works on this machine", Diagnosis),
    Operation("GET", "/api/owner/hooks", "Who is told of a job's end, and the last deliveries", Hooks),
    Operation(
        "POST",
        "/api/owner/hooks",
        "Add a webhook; its secret is told this once",
        HookView,
        HookWish,
        status=201,
        refusals=(409,),
    ),
    Operation(
        "POST", "/api/owner/hooks/<hook_id>/test", "Send it something harmless", Hooks, status=202, refusals=(404,)
    ),
    Operation("DELETE", "/api/owner/hooks/<hook_id>", "Tell it no longer", Hooks, refusals=(404,)),
    Operation("GET", "/api/owner/settings", "What the page may change", "application/json"),
    Operation("GET", "/api/openapi.json", "This document", "application/json"),
    Operation("GET", "/healthz", "Which parts work; 503 if one doesn't", Health, refusals=(503,)),
)


@cache
def document(version: str) -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    shapes = {Problem} | {shape for each in CONTRACT for shape in (each.answer, each.body) if _is_shape(shape)}
    schemas, components = msgspec.json.schema_components(sorted(shapes, key=str), ref_template=_REFERENCE)
    known = dict(zip(sorted(shapes, key=str), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for each in CONTRACT:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, known)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Reality as a Service", "version": version, "description": _ABOUT},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "handed out by the owner"},
                "session": {"type": "apiKey", "in": "cookie", "name": "raas_session"},
            },
        },
    }


_ABOUT: Final = (
    "Times are seconds since the epoch (UTC), durations seconds, angles radians. Every refusal is a Problem:"
    " a short code, and a sentence that says what to do."
)


def _is_shape(shape: Any) -> bool:
    return shape is not None and not isinstance(shape, str)


def _operation(each: Operation, known: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    refusals = {*_ALWAYS, *each.refusals, *_of_bodies(each)}
    found: dict[str, Any] = {
        "summary": each.summary,
        "operationId": _identifier(each),
        "tags": [each.role.name.lower()],
        "security": [] if each.role is Role.VISITOR else [{"token": []}, {"session": []}],
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": _PARAMETERS[name]}
              for name in re.findall(r"<(\w+)>", each.rule)),
            *({"name": name, "in": "query", "schema": _QUERIES[name]} for name in each.query),
        ],
        "responses": {str(each.status): _answer(each, known)}
        | {
            str(status): {"description": HTTPStatus(status).phrase, "content": {_JSON: {"schema": _problem(each, status, known)}}}
            for status in sorted(refusals)
        }
        | {str(status): {"description": HTTPStatus(status).phrase} for status in each.empty},
    }  # fmt: skip
    if each.body or each.form:
        found["requestBody"] = {"required": each.body is not StopWish, "content": _bodies(each, known)}
    return found


def _of_bodies(each: Operation) -> tuple[int, ...]:
    if each.method in READING or each.body is StopWish:
        return ()
    return (*_WRITING, *(_SLOW if each.body or each.form else ()))


def _identifier(each: Operation) -> str:
    words = re.findall(r"\w+", each.rule.removeprefix("/api"))
    return "_".join([each.method.lower(), *words])


def _problem(each: Operation, status: int, known: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    return known[Health] if each.answer is Health and status == 503 else known[Problem]


def _answer(each: Operation, known: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    if isinstance(each.answer, str):
        return {"description": each.summary, "content": {each.answer: {}}}
    if each.rule.endswith("<file_name>"):
        kinds = {kind.partition(";")[0] for kind in DOWNLOADS.values()}
        return {"description": each.summary, "content": {kind: {} for kind in sorted(kinds)}}
    return {"description": each.summary, "content": {_JSON: {"schema": known[each.answer]}}}


def _bodies(each: Operation, known: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    bodies: dict[str, Any] = {}
    if each.body:
        bodies[_JSON] = {"schema": known[each.body]}
    if each.form:
        fields = {name: {"type": "string", **({"format": "binary"} if name == "archive" else {})} for name in each.form}
        form = {"type": "object", "properties": fields, "required": [] if "sample" in fields else ["archive"]}
        bodies["multipart/form-data"] = {"schema": form}
    return bodies
