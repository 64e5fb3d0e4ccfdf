"""Who holds a token? The owner hands them out and takes them back, on a page and over the API."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from appliance.errors import RaasError
from appliance.identity.ownership import Ownership, Token
from appliance.shapes import NewToken, TokenView, TokenWish
from appliance.webui import bodies
from appliance.webui.lease_routes import LeaseRoutes
from appliance.webui.owner_pages import OwnerFrame, form_fields
from appliance.webui.web import Refusal, Request, Response, Site, json_response, redirect

_DAY_S: Final = 86400.0
_NAME: Final = re.compile(r"\w[\w .'-]{0,39}")
#: What the page offers: days, and how it is said; '' has no end.
LASTS: Final = (("30", "30 days"), ("90", "3 months"), ("365", "1 year"), ("", "no end"))


@dataclass(frozen=True)
class PeopleRoutes:
    """Handlers over the ownership. submit: `web.submit`. now_s: the wall clock. leases: who may drive over the network."""

    ownership: Ownership
    frame: OwnerFrame
    submit: str
    now_s: Callable[[], float]
    leases: LeaseRoutes

    def install(self, site: Site) -> None:
        """Add the routes."""
        site.route("GET", "/owner/people", lambda _request: self._page())
        site.route("POST", "/owner/people", self.hand_out)
        site.route("POST", "/owner/people/<name>/remove", self.take_back)
        site.route("GET", "/api/tokens", self.show)
        site.route("POST", "/api/tokens", self.add)
        site.route("DELETE", "/api/tokens/<name>", self.remove)

    def hand_out(self, request: Request) -> Response:
        """The form: make a token and show it, this once."""
        given = form_fields(request)
        wish = {key: given[key] for key in ("name", "right") if key in given}
        try:
            made = self._made(msgspec.convert(wish | {"days": given.get("days") or None}, TokenWish, strict=False))
        except (msgspec.ValidationError, RaasError) as error:
            return self._page(400, problem=str(error))
        return self._page(made=made)

    def take_back(self, request: Request) -> Response:
        """The form: end a token."""
        self.ownership.remove_token(request.arguments["name"])
        return redirect("/owner/people")

    def show(self, _request: Request) -> Response:
        """GET /api/tokens: whose they are, what they allow, and when they end; the tokens themselves aren't kept."""
        return json_response(self._views())

    def add(self, request: Request) -> Response:
        """POST /api/tokens: 201 and the token, which isn't told again."""
        try:
            wish = msgspec.json.decode(bodies.read(request), type=TokenWish)
        except msgspec.DecodeError as error:
            example = '{"name": "anna", "right": "submit", "days": 90}'
            raise Refusal(400, "bad_json", f"{error}. Send JSON like {example}.") from error
        return json_response(self._made(wish), 201)

    def remove(self, request: Request) -> Response:
        """DELETE /api/tokens/NAME: it works no longer; idempotent."""
        self.ownership.remove_token(request.arguments["name"])
        return self.show(request)

    def _made(self, wish: TokenWish) -> NewToken:
        name = wish.name.strip()
        if not _NAME.fullmatch(name):
            raise Refusal(
                400,
                "bad_name",
                "A name begins with a letter or digit and has at most 40 letters, digits, spaces, . ' -.",
            )
        lasts_s = None if wish.days is None else wish.days * _DAY_S
        return NewToken(name=name, token=self.ownership.add_token(name, wish.right, self.now_s(), lasts_s))

    def _views(self) -> list[TokenView]:
        now_s = self.now_s()
        return [_view(token, now_s) for token in self.ownership.tokens]

    def _page(self, status: int = 200, made: NewToken | None = None, problem: str = "") -> Response:
        return self.frame.page(
            "people", status, tokens=self._views(), lasts=LASTS, made=made, problem=problem, submit=self.submit,
            is_claimed=self.ownership.is_claimed, lease=self.leases.view(), drivers=self.leases.people(),
        )  # fmt: skip


def _view(token: Token, now_s: float) -> TokenView:
    return TokenView(
        name=token.name, right=token.right, made_at=token.made_at, ends_at=token.ends_at, ended=token.has_ended(now_s)
    )
