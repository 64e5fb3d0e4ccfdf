"""How is a refusal said? As JSON to programs, as a page to people, with the status that fits the error."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from appliance.errors import BadSource, Conflict, NotFound, RaasError, RobotError
from appliance.shapes import Problem, RobotView
from appliance.webui.web import HTML, Refusal, Request, Response, Templates, json_response

_LOG = logging.getLogger(__name__)
_STATUS: Final[dict[type[RaasError], tuple[int, str]]] = {
    BadSource: (400, "bad_source"),
    NotFound: (404, "not_found"),
    Conflict: (409, "conflict"),
    RobotError: (503, "robot_unavailable"),
}


@dataclass(frozen=True)
class ErrorsShown:
    """Turns errors into answers."""

    templates: Templates
    robot: Callable[[], RobotView]

    def __call__(self, request: Request, error: Exception) -> Response:
        """The answer to a request that led to `error`."""
        status, problem = explained(error)
        if status == 500:
            _LOG.error("%s %s failed", request.method, request.path, exc_info=error)
        if not request.wants_page:
            return json_response(problem, status)
        page = self.templates.render(
            "error.html", title="That didn't work", page="", problem=problem, status=status, robot=self.robot()
        )
        return Response(page.encode(), status, HTML, {"Cache-Control": "no-store"})


def explained(error: Exception) -> tuple[int, Problem]:
    """HTTP status and what is said. Only errors of our own are quoted; others could tell strangers too much."""
    if isinstance(error, Refusal):
        return error.status, Problem(error=error.code, message=error.message)
    for kind, (status, code) in _STATUS.items():
        if isinstance(error, kind):
            return status, Problem(error=code, message=str(error))
    return 500, Problem(error="internal_error", message="The appliance made a mistake; its log says more. Try again.")
