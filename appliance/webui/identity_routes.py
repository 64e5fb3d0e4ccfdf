"""The ways in: claim an appliance, log in and out, hand out tokens. Guessing is slow, and slows nobody else."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl

import msgspec

from appliance.errors import RaasError
from appliance.identity import sessions
from appliance.identity.ownership import Denied, Ownership, Right
from appliance.identity.passwords import BadPassword
from appliance.realtime.pacing import TokenBucket
from appliance.webui.board import Board
from appliance.webui.doorkeeper import SESSION_COOKIE
from appliance.webui.submissions import json_body
from appliance.webui.threads import Threads
from appliance.webui.web import HTML, Refusal, Request, Response, Site, Templates, json_response, redirect

#: Attempts that one address may make at once, and how many more a second.
BURST: Final = 5
RATE_HZ: Final = 0.1
_MAX_ADDRESSES: Final = 1000
_COOKIE: Final = "; Path=/; HttpOnly; SameSite=Strict"


class TokenWish(msgspec.Struct, frozen=True):
    """Body of `POST /api/tokens`."""

    name: str
    right: Right = "submit"


@dataclass(frozen=True)
class IdentityRoutes:
    """Handlers over the ownership. One thread hashes, so that guesses wait for each other and the page for none."""

    ownership: Ownership
    templates: Templates
    board: Board
    now_s: Callable[[], float]
    _hashing: Threads = field(default_factory=lambda: Threads(1))
    _attempts: OrderedDict[str, TokenBucket] = field(default_factory=OrderedDict)

    def install(self, site: Site) -> None:
        """Add the routes."""
        site.route("GET", "/claim", self.claim_page)
        site.route("POST", "/claim", self.claim)
        site.route("GET", "/login", self.login_page)
        site.route("POST", "/login", self.login)
        site.route("POST", "/logout", self.logout)
        site.route("GET", "/api/tokens", self.tokens)
        site.route("POST", "/api/tokens", self.add_token)
        site.route("DELETE", "/api/tokens/<name>", self.remove_token)

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
        return self._logged_in()

    def login_page(self, _request: Request) -> Response:
        """A form for the owner's password, or a token."""
        return self._page("login.html", "Log in", 200)

    def login(self, request: Request) -> Response:
        """Exchange the password, or a token, for a cookie."""
        secret = self._attempt(request).get("password", "").strip()
        if self.ownership.token(secret) is not None:
            return _to_robot(f"{SESSION_COOKIE}={secret}; Max-Age={sessions.LIFETIME_S}{_COOKIE}")
        try:
            self._hashing.call(self.ownership.check, secret)
        except Denied as error:
            return self._page("login.html", "Log in", 403, str(error))
        return self._logged_in()

    def logout(self, _request: Request) -> Response:
        """Forget the session in this browser."""
        return _to_robot(f"{SESSION_COOKIE}=; Max-Age=0{_COOKIE}")

    def tokens(self, _request: Request) -> Response:
        """GET /api/tokens: whose they are and what they allow."""
        return json_response([{"name": token.name, "right": token.right} for token in self.ownership.tokens])

    def add_token(self, request: Request) -> Response:
        """POST /api/tokens {"name", "right"}: 201 and the token, which isn't told again."""
        try:
            wish = msgspec.json.decode(json_body(request), type=TokenWish)
        except msgspec.DecodeError as error:
            raise Refusal(400, "bad_json", f'{error}. Send JSON like {{"name": "anna", "right": "submit"}}.') from error
        if not wish.name.isidentifier() or len(wish.name) > 40:
            raise Refusal(400, "bad_name", "A token's name has at most 40 letters, digits and underscores.")
        return json_response({"name": wish.name, "token": self.ownership.add_token(wish.name, wish.right)}, 201)

    def remove_token(self, request: Request) -> Response:
        """DELETE /api/tokens/NAME."""
        self.ownership.remove_token(request.arguments["name"])
        return self.tokens(request)

    def _attempt(self, request: Request) -> Mapping[str, str]:
        """The form's fields. Raises Refusal where its sender has tried too often."""
        now_s = self.now_s()
        bucket = self._attempts.setdefault(request.remote, TokenBucket(RATE_HZ, BURST, now_s))
        self._attempts.move_to_end(request.remote)
        if len(self._attempts) > _MAX_ADDRESSES:
            self._attempts.popitem(last=False)
        if not bucket.take(now_s):
            raise Refusal(429, "too_many_attempts", f"Too many attempts. Wait {1 / RATE_HZ:.0f} s and try again.")
        return dict(parse_qsl(json_body(request).decode(errors="replace"), keep_blank_values=True))

    def _logged_in(self) -> Response:
        session = sessions.issue(self.ownership.secret, self.now_s())
        return _to_robot(f"{SESSION_COOKIE}={session}; Max-Age={sessions.LIFETIME_S}{_COOKIE}")

    def _page(self, template: str, title: str, status: int, problem: str = "") -> Response:
        page = template.removesuffix(".html")
        text = self.templates.render(template, title=title, page=page, problem=problem, robot=self.board.robot())
        return Response(text.encode(), status, HTML, {"Cache-Control": "no-store"})


def _to_robot(cookie: str) -> Response:
    answer = redirect("/")
    return Response(status=answer.status, headers={**answer.headers, "Set-Cookie": cookie, "Cache-Control": "no-store"})


def announce(ownership: Ownership, say: Callable[[str], None]) -> None:
    """Tell whoever sees the console how to claim the appliance."""
    try:
        say(f"Nobody owns this appliance yet. Claim it on its page with the setup code {ownership.setup_code()}.")
    except (RaasError, OSError) as error:
        say(f"The setup code can't be kept ({error}); nobody can claim this appliance.")
