"""The ways in: claim an appliance, log in and out. Guessing is slow, and slows nobody else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl

from appliance.errors import RaasError
from appliance.identity import sessions
from appliance.identity.ownership import Denied, Ownership, Token
from appliance.identity.passwords import BadPassword
from appliance.webui import bodies
from appliance.webui.board import Board
from appliance.webui.doorkeeper import SESSION_COOKIE
from appliance.webui.threads import Threads
from appliance.webui.throttle import Throttle
from appliance.webui.web import HTML, Refusal, Request, Response, Site, Templates, redirect

#: Attempts that one address may make at once, and how many more a second.
BURST: Final = 5
RATE_HZ: Final = 0.1
_COOKIE: Final = "; Path=/; HttpOnly; SameSite=Strict"
#: Attributes of a session's cookie; one that came over TLS is never sent without.
COOKIES: Final = {"http": _COOKIE, "https": f"{_COOKIE}; Secure"}


@dataclass(frozen=True)
class IdentityRoutes:
    """Handlers over the ownership. cookie: the attributes of a session's. One thread hashes, so that guesses wait for each other and the page for none."""

    ownership: Ownership
    templates: Templates
    board: Board
    now_s: Callable[[], float]
    cookie: str = _COOKIE
    _hashing: Threads = field(default_factory=lambda: Threads(1))
    _attempts: Throttle = field(default_factory=lambda: Throttle(RATE_HZ, BURST))

    def install(self, site: Site) -> None:
        """Add the routes."""
        site.route("GET", "/claim", self.claim_page)
        site.route("POST", "/claim", self.claim)
        site.route("GET", "/login", self.login_page)
        site.route("POST", "/login", self.login)
        site.route("POST", "/logout", self.logout)
        site.route("POST", "/owner/password", self.change_password)

    def claim_page(self, _request: Request) -> Response:
        """How the robot is, and a form for setup code and password."""
        return redirect("/login") if self.ownership.is_claimed else self._page("claim.html", "Claim this robot", 200)

    def claim(self, request: Request) -> Response:
        """Set the owner's password and log in."""
        fields = self._attempt(request)
        try:
            self._hashing.call(self.ownership.claim, fields.get("code", ""), fields.get("password", ""))
        except (Denied, BadPassword) as error:
            return self._page("claim.html", "Claim this robot", 403, str(error))
        return self._logged_in("/owner/welcome")

    def login_page(self, _request: Request) -> Response:
        """A form for the owner's password, or a token."""
        return self._page("login.html", "Log in", 200)

    def login(self, request: Request) -> Response:
        """Exchange the password, or a token, for a cookie."""
        secret = self._attempt(request).get("password", "").strip()
        token = self.ownership.token(secret, self.now_s())
        if token is None:
            try:
                self._hashing.call(self.ownership.check, secret)
            except Denied as error:
                return self._page("login.html", "Log in", 403, str(error))
        return self._logged_in(token=token)

    def logout(self, request: Request) -> Response:
        """End the session, for copies of its cookie, too."""
        self._hashing.call(self.ownership.log_out, request.cookies.get(SESSION_COOKIE, ""), self.now_s())
        return _with_cookie(f"{SESSION_COOKIE}=; Max-Age=0{self.cookie}")

    def change_password(self, request: Request) -> Response:
        """Set another password; whoever else was logged in with the old one no longer is."""
        fields = self._attempt(request)
        try:
            self._hashing.call(self.ownership.change, fields.get("old", ""), fields.get("new", ""))
        except (Denied, BadPassword) as error:
            raise Refusal(403, "not_changed", f"{error} The password is still the old one.") from error
        return self._logged_in("/owner/people")

    def _attempt(self, request: Request) -> Mapping[str, str]:
        """The form's fields. Raises Refusal where its sender has tried too often."""
        self._attempts.take(request.remote, self.now_s())
        return dict(parse_qsl(bodies.read(request).decode(errors="replace"), keep_blank_values=True))

    def _logged_in(self, target: str = "/", token: Token | None = None) -> Response:
        session = self.ownership.log_in(self.now_s(), token)
        return _with_cookie(f"{SESSION_COOKIE}={session}; Max-Age={sessions.LIFETIME_S}{self.cookie}", target)

    def _page(self, template: str, title: str, status: int, problem: str = "") -> Response:
        page = template.removesuffix(".html")
        text = self.templates.render(template, title=title, page=page, problem=problem, robot=self.board.robot())
        return Response(text.encode(), status, HTML, {"Cache-Control": "no-store"})


def _with_cookie(cookie: str, target: str = "/") -> Response:
    answer = redirect(target)
    return Response(status=answer.status, headers={**answer.headers, "Set-Cookie": cookie, "Cache-Control": "no-store"})


def announce(ownership: Ownership, say: Callable[[str], None]) -> None:
    """Tell whoever sees the console how to claim the appliance."""
    try:
        say(f"Nobody owns this appliance yet. Claim it on its page with the setup code {ownership.setup_code()}.")
    except (RaasError, OSError) as error:
        say(f"The setup code can't be kept ({error}); nobody can claim this appliance.")
