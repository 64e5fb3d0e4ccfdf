"""The owner's page Webhooks, and the same over the API: who is told of a job's end, and how that went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from appliance.config import Config
from appliance.errands import hooks
from appliance.errands.hooks import Delivery, Hook, HookBook
from appliance.errors import BadSource, RaasError
from appliance.shapes import DeliveryView, Hooks, HookView, HookWish
from appliance.webui import bodies
from appliance.webui.owner_pages import OwnerFrame, form_fields
from appliance.webui.threads import Threads
from appliance.webui.web import Refusal, Request, Response, Site, json_response, redirect

_SHOWN: Final = 20
_HERE: Final = "/owner/hooks"
Answer = TypeVar("Answer")


class HookDesk:
    """The book of webhooks, on a thread of its own: the caller waits for the disk, nobody else does."""

    def __init__(self, path: Path) -> None:
        self._thread = Threads(1)
        self._book = self._thread.call(HookBook, path)

    def ask(self, question: Callable[[HookBook], Answer]) -> Answer:
        """The answer to a question."""
        return self._thread.call(question, self._book)


@dataclass(frozen=True)
class HookRoutes:
    """Handlers over the webhooks. now_s: the wall clock."""

    config: Config
    frame: OwnerFrame
    desk: HookDesk
    now_s: Callable[[], float]

    def install(self, site: Site) -> None:
        """Add the routes."""
        site.route("GET", _HERE, lambda _request: self._page())
        site.route("POST", _HERE, self.add_from_page)
        site.route("POST", f"{_HERE}/<hook_id>/test", self.test_from_page)
        site.route("POST", f"{_HERE}/<hook_id>/remove", self.remove_from_page)
        site.route("GET", "/api/owner/hooks", lambda _request: json_response(self._hooks()))
        site.route("POST", "/api/owner/hooks", self.add)
        site.route("POST", "/api/owner/hooks/<hook_id>/test", self.test)
        site.route("DELETE", "/api/owner/hooks/<hook_id>", self.remove)

    def add(self, request: Request) -> Response:
        """POST /api/owner/hooks: 201, with the secret, this once."""
        try:
            wish = msgspec.json.decode(bodies.read(request), type=HookWish)
        except msgspec.DecodeError as error:
            raise Refusal(400, "bad_json", f'{error}. Send JSON like {{"url": "https://example.org/hook"}}.') from error
        return json_response(_told(self._add(wish.url, wish.secret)), 201)

    def test(self, request: Request) -> Response:
        """POST /api/owner/hooks/ID/test: 202; what came of it stands among the deliveries a little later."""
        self._test(request)
        return json_response(self._hooks(), 202)

    def remove(self, request: Request) -> Response:
        """DELETE /api/owner/hooks/ID."""
        self._remove(request)
        return json_response(self._hooks())

    def add_from_page(self, request: Request) -> Response:
        """The form: add one and show its secret, this once."""
        fields = form_fields(request)
        try:
            made = self._add(fields.get("url", ""), fields.get("secret", ""))
        except RaasError as error:
            return self._page(400, problem=str(error), given=fields.get("url", ""))
        return self._page(made=_told(made))

    def test_from_page(self, request: Request) -> Response:
        """The button."""
        self._test(request)
        return redirect(_HERE)

    def remove_from_page(self, request: Request) -> Response:
        """The button."""
        self._remove(request)
        return redirect(_HERE)

    def _add(self, url: str, secret: str) -> Hook:
        url, now_s = url.strip(), self.now_s()
        hooks.target(url, self.config.hooks)
        if urlsplit(url).port == self.config.web.port and urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost"):
            raise BadSource("This is the appliance itself. Give the address of another server.")
        return self.desk.ask(lambda book: book.add(url, secret.strip(), now_s))

    def _test(self, request: Request) -> None:
        hook_id, now_s = request.arguments["hook_id"], self.now_s()
        self.desk.ask(lambda book: book.test(hook_id, now_s))

    def _remove(self, request: Request) -> None:
        self.desk.ask(lambda book: book.remove(request.arguments["hook_id"]))

    def _hooks(self) -> Hooks:
        known, newest = self.desk.ask(lambda book: (book.all(), book.deliveries(_SHOWN)))
        by_id = {hook.id: hook for hook in known}
        return Hooks(
            hooks=[HookView(id=hook.id, url=hook.url, made_at=hook.made_at) for hook in known],
            deliveries=[_view(each, by_id[each.hook_id]) for each in newest if each.hook_id in by_id],
        )

    def _page(self, status: int = 200, made: HookView | None = None, problem: str = "", given: str = "") -> Response:
        found = self._hooks()
        return self.frame.page("hooks", status, found=found, made=made, problem=problem, given=given)


def _told(hook: Hook) -> HookView:
    return HookView(id=hook.id, url=hook.url, made_at=hook.made_at, secret=hook.secret)


def _view(each: Delivery, hook: Hook) -> DeliveryView:
    return DeliveryView(
        id=each.id, hook_id=each.hook_id, host=urlsplit(hook.url).hostname or "", event=each.event, job_id=each.job_id,
        made_at=each.made_at, tries=each.tries, next_at=each.next_at if each.tries else None, status=each.status,
        state="delivered" if each.is_delivered else "given_up" if each.next_at is None else "waiting",
        said=each.said or "Under way.",
    )  # fmt: skip
