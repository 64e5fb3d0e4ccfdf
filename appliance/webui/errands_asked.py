"""How does the page ask the runner for something, and hear of it? By a row, read again and again while nobody else waits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import gevent

from appliance.errands.book import Book, Busy, Errand
from appliance.webui.threads import Threads
from appliance.webui.web import Refusal

_LOOK_S = 0.05
Answer = TypeVar("Answer")


class ErrandsAsked:
    """The book of errands, on a thread of its own."""

    def __init__(self, path: Path) -> None:
        self._thread = Threads(1)
        self._book = self._thread.call(Book, path)

    def call(self, question: Callable[[Book], Answer]) -> Answer:
        """The answer to a question; the caller waits, nobody else does."""
        return self._thread.call(question, self._book)

    def ask(self, kind: str, subject: str, now_s: float, fresh_s: float, most: int) -> Errand:
        """Want something done. Raises Refusal where too many wait."""
        try:
            return self.call(lambda book: book.ask(kind, subject, now_s, fresh_s, most))
        except Busy as error:
            raise Refusal(503, "busy", str(error)) from error

    def wait(self, errand: Errand, patience_s: float) -> Errand | None:
        """The errand when it is done; None where that takes longer."""
        found: Errand | None = errand
        try:
            with gevent.Timeout(patience_s):
                while found is not None and found.done_at is None:
                    gevent.sleep(_LOOK_S)
                    found = self._thread.call(self._book.find, errand.kind, errand.subject)
        except gevent.Timeout:
            return None
        return found
