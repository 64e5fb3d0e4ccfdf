"""Who performs the errands? Threads in the runner's process, each with a database of its own, beside the queue's one worker.

A look at a repository takes a confined child and seconds of a stranger's server; it may go on while a job drives, because
all of it stays off the motor loop's core.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from appliance.config import Config
from appliance.errands import book
from appliance.errands.artist import Artist
from appliance.errands.book import Book, Errand
from appliance.errands.hooks import HookBook
from appliance.errands.postman import Postman
from appliance.errors import Cancelled, RaasError
from appliance.intake import look
from appliance.paths import Paths
from appliance.shapes import CheckGit, GitSeen
from appliance.store import Store

#: How soon a look begins, which somebody waits for; and everything else.
_SOON_S: Final = 0.05
_LATER_S: Final = 0.5
_AFTER_ERROR_S: Final = 1.0
_LOOKERS: Final = 2
#: Whoever asked for a look has gone after this.
_LOOK_PATIENCE_S: Final = 20.0
_UNABLE: Final = "The appliance could not look at the repository just now. Submit it; the job says what comes of it."

_log = logging.getLogger("runner")


@dataclass(frozen=True)
class Workers:
    """What the errands need; `stopping` ends all of them."""

    paths: Paths
    config: Config
    stopping: threading.Event

    def start(self) -> tuple[threading.Thread, ...]:
        """Begin, in threads that end with the process, or soon after `stopping` for whoever waits for them."""
        opened = Book(self.paths.database)
        opened.begin_anew()
        opened.close()
        lookers = {f"look-{number}": self._look for number in range(_LOOKERS)}
        works = {**lookers, "draw": self._draw, "hooks": self._deliver}
        threads = tuple(threading.Thread(target=work, name=name, daemon=True) for name, work in works.items())
        for thread in threads:
            thread.start()
        return threads

    def _look(self) -> None:
        self._serve(self._look_round, _SOON_S)

    def _draw(self) -> None:
        store = Store(self.paths.database)
        self._serve(Artist(self.paths, self.config.storage, store, self.stopping.is_set).turn, _LATER_S)
        store.close()

    def _deliver(self) -> None:
        store, hook_book = Store(self.paths.database), HookBook(self.paths.database)
        postman = Postman(self.config, store, hook_book, self.stopping.is_set)
        self._serve(lambda _opened: postman.turn(), _LATER_S)
        hook_book.close()
        store.close()

    def _serve(self, turn: Callable[[Book], bool], round_s: float) -> None:
        """Take turns until told to stop; whatever goes wrong is tried again."""
        while not self.stopping.is_set():
            opened = Book(self.paths.database)
            try:
                while not self.stopping.is_set():
                    if not turn(opened):
                        self.stopping.wait(round_s)
            except Exception:  # noqa: BLE001 - a thread's edge; logged with its traceback
                _log.exception("an errand failed; going on")
                self.stopping.wait(_AFTER_ERROR_S)
            finally:
                opened.close()

    def _look_round(self, opened: Book) -> bool:
        errand = opened.claim(book.LOOK, time.time(), _LOOK_PATIENCE_S)
        if errand is None:
            return False
        opened.answer(errand, msgspec.json.encode(self._seen(errand)).decode(), time.time())
        return True

    def _seen(self, errand: Errand) -> GitSeen:
        try:
            wish = msgspec.json.decode(errand.subject, type=CheckGit)
            return look.look(wish.git_url, wish.ref, self.config, self.stopping.is_set)
        except (msgspec.DecodeError, Cancelled, RaasError, OSError) as error:
            _log.warning("a look at a repository failed: %s", error)
            return GitSeen(ok=True, sentence=_UNABLE)
