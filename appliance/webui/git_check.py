"""Would this repository be accepted? What the Submit page asks while somebody types an address.

The runner looks, in the room and by the rules of a real fetch, because this process reaches no network. So that nobody
searches a network with it, an address may ask only now and then, and an answer holds for a minute.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from appliance import facts
from appliance.config import Config
from appliance.errands import book
from appliance.errors import BadSource
from appliance.intake import git_url
from appliance.shapes import CheckGit, GitSeen
from appliance.webui import bodies
from appliance.webui.errands_asked import ErrandsAsked
from appliance.webui.store_threads import StoreThreads
from appliance.webui.throttle import Throttle
from appliance.webui.web import Refusal, Request, Response, Site, json_response

#: An answer is believed so long.
FRESH_S: Final = 60.0
#: Looks of one address: at once, and then one in so many seconds.
BURST: Final = 6
EVERY_S: Final = 5.0
#: Looks that wait for the runner, of all addresses together.
MOST_WAITING: Final = 6
_PATIENCE_S: Final = 15.0
_SILENT_AFTER_S: Final = 3.0 * facts.HEARTBEAT_S


@dataclass(frozen=True)
class GitCheck:
    """The handler. now_s: the wall clock."""

    config: Config
    store: StoreThreads
    errands: ErrandsAsked
    now_s: Callable[[], float]
    _throttle: Throttle = field(default_factory=lambda: Throttle(1 / EVERY_S, BURST))

    def install(self, site: Site) -> None:
        """Add the route."""
        site.route("POST", "/api/git/check", self.check)

    def check(self, request: Request) -> Response:
        """POST /api/git/check: what stands at an address, and whether a job of it can be prepared."""
        try:
            wish = msgspec.json.decode(bodies.read(request), type=CheckGit)
        except msgspec.DecodeError as error:
            example = '{"git_url": "https://example.org/you/pendulum.git", "ref": "main"}'
            raise Refusal(400, "bad_json", f"{error}. Send JSON like {example}.") from error
        try:  # what is wrong with the address itself needs no look, and no patience
            url = git_url.parse(wish.git_url.strip(), self.config.fetch.allow_http).text
            ref = git_url.check_ref(wish.ref.strip())
        except BadSource as refusal:
            return json_response(GitSeen(ok=False, sentence=str(refusal)))
        return json_response(self._seen(request, CheckGit(git_url=url, ref=ref)))

    def _seen(self, request: Request, wish: CheckGit) -> GitSeen:
        now_s = self.now_s()
        subject = msgspec.json.encode(wish).decode()
        known = self.errands.call(lambda opened: opened.find(book.LOOK, subject))
        if known is None or known.done_at is None or now_s - known.done_at >= FRESH_S:
            self._throttle.take(request.remote, now_s)
        if now_s - float(self.store.read(lambda rows: rows.fact(facts.RUNNER_HEARTBEAT)) or 0) > _SILENT_AFTER_S:
            raise Refusal(
                503, "no_runner", "The runner is silent, and it is the runner that looks. Submit it all the same."
            )
        errand = self.errands.ask(book.LOOK, subject, now_s, FRESH_S, MOST_WAITING)
        done = self.errands.wait(errand, _PATIENCE_S)
        if done is None:
            raise Refusal(503, "no_answer", "The look takes long; the runner is busy. Submit it all the same, or wait.")
        return msgspec.json.decode(done.answer, type=GitSeen)
