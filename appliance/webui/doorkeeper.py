"""Who may do what over HTTP? One table, applied to every request before any handler sees it.

Reading and stopping: anyone. Submitting: anyone, or people with a token (`web.submit`). Everything else: the owner. An
appliance that nobody has claimed shows how the robot is, and can be stopped and claimed. A twin on loopback that nobody
has claimed belongs to whoever sits at the machine.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from appliance.identity.ownership import Ownership
from appliance.shapes import Problem
from appliance.webui import cookies
from appliance.webui.gatekeeper import READING
from appliance.webui.web import JSON, PERSON, ROLE, Environ, Refusal, StartResponse, WsgiApp, encode_json

#: Holds a session.
SESSION_COOKIE: Final = "raas_session"
STOPPING: Final = frozenset({"/stop", "/api/robot/stop"})
ENTRANCES: Final = frozenset({"/login", "/logout", "/claim"})
SUBMITTING: Final = frozenset({"/submit", "/api/jobs", "/fleet/jobs", "/api/fleet/jobs"})
#: What costs the appliance something, and so is for those who may submit.
ASKING: Final = frozenset({"/api/git/check"})
#: Of one job, too; who is its submitter is judged where it is done.
ASKED_OF_A_JOB: Final = ("/again", "/animation", "/board")
_OF_JOBS: Final = ("/jobs/", "/api/jobs/")
#: Reading that isn't for everybody.
PRIVATE: Final = ("/api/tokens", "/api/lease/people", "/owner", "/api/owner")
#: What is shown of an appliance that nobody has claimed.
STATUS_ONLY: Final = frozenset({"/claim", "/healthz", "/api/robot"})


class Role(enum.IntEnum):
    """What somebody may do; each may do what those before may."""

    VISITOR = 0
    SUBMITTER = 1
    OWNER = 2


def needed(method: str, path: str) -> Role:
    """The least role that may make such a request. What isn't named here is the owner's."""
    if method in READING:
        return Role.OWNER if path.startswith(PRIVATE) else Role.VISITOR
    if method == "POST" and (path in STOPPING or path in ENTRANCES):
        return Role.VISITOR
    asks = path in SUBMITTING | ASKING or (path.startswith(_OF_JOBS) and path.endswith(ASKED_OF_A_JOB))
    return Role.SUBMITTER if method == "POST" and asks else Role.OWNER


@dataclass(frozen=True)
class Doorkeeper:
    """WSGI middleware. at_home: a twin on loopback. anyone_submits: no token is needed. now_s: the wall clock."""

    app: WsgiApp
    ownership: Ownership
    at_home: bool
    anyone_submits: bool
    now_s: Callable[[], float]

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Pass on what is allowed; send people to where they can log in, and tell programs why not."""
        environ[PERSON] = environ[ROLE] = ""
        try:
            self._check(environ)
        except Refusal as refusal:
            return _refused(environ, start_response, refusal)
        return self.app(environ, start_response)

    def who(self, environ: Environ) -> tuple[Role, str]:
        """What whoever sends this may do, and the name on the token, if there is one."""
        if self.at_home and not self.ownership.is_claimed:
            return Role.OWNER, ""
        scheme, _, given = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        now_s = self.now_s()
        token = self.ownership.token(given.strip(), now_s) if scheme.lower() == "bearer" else None
        holder = token or self.ownership.session(_cookie(environ), now_s)
        if holder is not None:
            return Role.OWNER if holder.right == "owner" else Role.SUBMITTER, holder.name
        return Role.SUBMITTER if self.anyone_submits else Role.VISITOR, ""

    def _check(self, environ: Environ) -> None:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "/")
        wanted = needed(method, path)
        if not self.ownership.is_claimed and not self.at_home:
            if not (path in STATUS_ONLY or path in STOPPING or path.startswith("/static/")):
                raise Refusal(403, "unclaimed", "Nobody owns this appliance yet. Open its page and claim it.")
        else:
            role, environ[PERSON] = self.who(environ)
            environ[ROLE] = role.name.lower()
            if role < wanted:
                raise Refusal(401, "login_needed", _WHO_MAY[wanted])
        # Gatekeeper has refused foreign origins; with a cookie that speaks for somebody, none at all is refused, too.
        speaks_for_somebody = method not in READING and path not in STOPPING and _cookie(environ)
        if speaks_for_somebody and not environ.keys() & {"HTTP_ORIGIN", "HTTP_SEC_FETCH_SITE"}:
            raise Refusal(403, "no_origin", "This browser doesn't say which page wants this. Use a newer one.")


_WHO_MAY: Final = {
    Role.SUBMITTER: "This robot takes jobs from people with a token, which its owner hands out. Log in with it at /login,"
    " or send it as `Authorization: Bearer TOKEN`.",
    Role.OWNER: "Only the owner may do this. Log in at /login, or send an owner's token as `Authorization: Bearer TOKEN`.",
}
_REASONS: Final = {401: "Unauthorized", 403: "Forbidden"}


def _cookie(environ: Environ) -> str:
    return cookies.parse(environ.get("HTTP_COOKIE", "")).get(SESSION_COOKIE, "")


def _refused(environ: Environ, start_response: StartResponse, refusal: Refusal) -> Iterable[bytes]:
    is_page = not environ.get("PATH_INFO", "").startswith("/api/") and "text/html" in environ.get("HTTP_ACCEPT", "")
    if is_page and refusal.code in ("unclaimed", "login_needed"):
        target = "/claim" if refusal.code == "unclaimed" else "/login"
        start_response("303 See Other", [("Location", target), ("Content-Length", "0"), ("Cache-Control", "no-store")])
        return [b""]
    body = encode_json(Problem(error=refusal.code, message=refusal.message))
    headers = [("Content-Type", JSON), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")]
    start_response(f"{refusal.status} {_REASONS[refusal.status]}", headers)
    return [body]
