"""Would a repository be accepted? A look at it before it is submitted, in the room and by the rules of a real fetch."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec

from appliance.config import Config
from appliance.errors import BadSource
from appliance.intake import fetch, git_url, isolation
from appliance.intake.tree import plain
from appliance.shapes import GitSeen

#: Somebody waits at the page.
SECONDS: Final = 10.0
_MOST_MB: Final = 24
_MOST_FILES: Final = 4096
_UNSEEN: Final = (
    "The repository is there. Its server sends all or nothing, so what is in it shows when the job is prepared."
)


def look(url: str, ref: str, config: Config, cancelled: Callable[[], bool] = lambda: False) -> GitSeen:
    """What is there, with a sentence for whoever wants to submit it; every refusal is one, too. Raises IsolationError, Cancelled."""
    brief = msgspec.structs.replace(
        config, fetch=msgspec.structs.replace(config.fetch, timeout_s=SECONDS, max_mb=_MOST_MB, max_files=_MOST_FILES)
    )
    try:
        place = git_url.parse(url, config.fetch.allow_http)
        git_url.check_ref(ref)
        return _seen(place, ref, brief, cancelled)
    except BadSource as refusal:
        return GitSeen(ok=False, sentence=str(refusal))


def _seen(place: git_url.GitUrl, ref: str, brief: Config, cancelled: Callable[[], bool]) -> GitSeen:
    order = {"url": place.text, "ref": ref, "allow_http": brief.fetch.allow_http}
    with isolation.run("appliance.intake.glance", order, fetch.room(place, brief), cancelled) as outcome:
        answer = outcome.answer or {}
        commit = str(answer.get("commit", ""))
        if outcome.out_of in {"bytes", "space"}:
            return GitSeen(ok=True, sentence=_UNSEEN)
        if outcome.out_of == "time":
            return GitSeen(ok=False, sentence=f"{place.host} has not answered within {SECONDS:g} s. Try again later.")
        if outcome.out_of or not re.fullmatch(r"[0-9a-f]{40,64}", commit):
            raise BadSource(fetch.failure(outcome, str(answer.get("failed", "")), place, ref, brief.fetch))
    found, kind, lacks = (plain(str(answer.get(key, "")), 300) for key in ("ref", "kind", "lacks"))
    name = f"on {kind} {found}, " if kind in {"branch", "tag"} and found else "in "
    sentence = lacks or f"Ready: run.py {name}commit {commit[:10]}."
    return GitSeen(
        ok=not lacks, sentence=sentence, ref=found if "," in name else "", commit=commit, has_program=not lacks
    )
