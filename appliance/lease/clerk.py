"""Who speaks with the database while the relay must not wait for the disk? A thread with the queue's side of leases.

Messages go in and come out by queues. It takes places, gives them up, tells how they stand, and who may come in.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from appliance import facts, ulid, waiting
from appliance.config import Config
from appliance.errors import Conflict, NotFound, RaasError
from appliance.jobs import State
from appliance.lease import rules
from appliance.lease.permissions import Permissions
from appliance.lease.rules import Case, Refusal
from appliance.lease.visitors import Key
from appliance.paths import Paths
from appliance.store import Job, NewJob, Store
from appliance.waiting import Line

_ROUND_S: Final = 0.1
#: How often places are told anew while nothing changes: their estimates grow old.
_RETELL_S: Final = 1.0
_TITLE: Final = "Remote program"
#: A place whose job was given up while nobody could say so is asked for again after this.
_AFTER_ERROR_S: Final = 1.0

_log = logging.getLogger("lease")


@dataclass(frozen=True)
class Wanted:
    """A place is asked for."""

    key: Key
    seconds: float
    title: str
    address: str


@dataclass(frozen=True)
class GivenUp:
    """Nobody waits for this job any more."""

    job_id: str
    why: str


@dataclass(frozen=True)
class Taken:
    """The answer to Wanted: there is a place."""

    key: Key
    job_id: str


@dataclass(frozen=True)
class Refused:
    """The answer to Wanted: there is none."""

    key: Key
    refusal: Refusal


@dataclass(frozen=True)
class Standing:
    """How a place stands. position: 1 is next, 0: its turn."""

    job_id: str
    state: State
    position: int
    sentence: str


@dataclass(frozen=True)
class Admitted:
    """Who may come in: names by public key. Those whose permission has ended come in too, to hear so."""

    names: Mapping[bytes, str]


Told = Taken | Refused | Standing | Admitted


@dataclass(frozen=True)
class _Work:
    store: Store
    permissions: Permissions


class Clerk:
    """The thread, and the queues to and from it."""

    def __init__(self, paths: Paths, config: Config) -> None:
        self._paths, self._config = paths, config
        self._inbox: queue.SimpleQueue[Wanted | GivenUp] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[Told] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._open: set[str] = set()
        self._told: dict[str, Standing] = {}
        self._admitted: Admitted | None = None
        self._told_s = float("-inf")
        self._is_new = True
        self._thread = threading.Thread(target=self._serve, name="clerk", daemon=True)

    def start(self) -> None:
        """Begin; leases of an earlier process are given up, as nobody is behind them."""
        self._thread.start()

    def stop(self) -> None:
        """Do what was asked for, and end."""
        self._stopping.set()
        self._thread.join()

    def ask(self, what: Wanted | GivenUp) -> None:
        """Ask for something; never waits."""
        self._inbox.put(what)

    def heard(self) -> list[Told]:
        """What it has to tell; never waits."""
        found: list[Told] = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._outbox.get_nowait())
        return found

    def _serve(self) -> None:
        while True:
            try:
                self._work()
            except (RaasError, sqlite3.Error):
                _log.exception("the database; trying again")
                time.sleep(_AFTER_ERROR_S)
            else:
                return

    def _work(self) -> None:
        work = _Work(Store(self._paths.database), Permissions(self._paths.database))
        try:
            if self._is_new:
                self._clear(work.store)
                self._is_new = False
            while not (self._stopping.is_set() and self._inbox.empty()):
                self._admit(work)
                with contextlib.suppress(queue.Empty):
                    self._do(work, self._inbox.get(timeout=_ROUND_S))
                self._tell(work)
        finally:
            work.store.close()
            work.permissions.close()

    def _clear(self, store: Store) -> None:
        for job in (*store.queue(), *store.active()):
            if job.lease_s is not None:
                _give_up(store, job.id, "The lease service was restarted.")

    def _admit(self, work: _Work) -> None:
        found = Admitted({person.public_key: person.name for person in work.permissions.all()})
        if found != self._admitted:
            self._admitted = found
            self._outbox.put(found)

    def _do(self, work: _Work, what: Wanted | GivenUp) -> None:
        if isinstance(what, GivenUp):
            self._open.discard(what.job_id)
            _give_up(work.store, what.job_id, what.why)
            return
        self._place(work, what)

    def _place(self, work: _Work, wanted: Wanted) -> None:
        now_s, name = time.time(), wanted.key[0]
        person = next((each for each in work.permissions.all() if each.name == name), None)
        may = person is not None and not person.has_ended(now_s)
        waiting_ones = sum(job.lease_s is not None for job in work.store.queue())
        case = Case(name, may, wanted.seconds, waiting_ones, work.permissions.used_s(name, now_s))
        judged = rules.judge(case, self._config.lease)
        if isinstance(judged, Refusal):
            self._outbox.put(Refused(wanted.key, judged))
            return
        new = NewJob(
            "archive", f"remote program at {wanted.address}", name, name=wanted.title or _TITLE, lease_s=judged
        )
        job_id = ulid.new(now_s)
        self._open.add(job_id)
        self._outbox.put(Taken(wanted.key, job_id))  # before the runner can know of it, and ask who waits
        work.store.add(new, now_s, job_id)

    def _tell(self, work: _Work) -> None:
        """How the places stand, where that has changed."""
        now_s = time.monotonic()
        if not self._open or (not work.store.changed() and now_s - self._told_s < _RETELL_S):
            return
        self._told_s = now_s
        store = work.store
        line = Line(store.queue(), store.active(), self._config.job.limit_s, store.fact(facts.QUEUE_HOLD))
        for job_id in sorted(self._open):
            try:
                standing = _standing(store.get(job_id), line)
            except NotFound:
                standing = Standing(job_id, State.CANCELLED, 0, "Its row was removed.")
            if self._told.get(job_id) != standing:
                self._told[job_id] = standing
                self._outbox.put(standing)
            if standing.state.is_final:
                self._open.discard(job_id)
                self._told.pop(job_id)


def _standing(job: Job, line: Line) -> Standing:
    found = waiting.describe(job, line, time.time())
    sentence = found.sentence if not job.state.is_final else job.detail or found.sentence
    return Standing(job.id, job.state, found.position or 0, sentence)


def _give_up(store: Store, job_id: str, why: str) -> None:
    """End a job that waits or drives; one that has ended stays as it is."""
    with contextlib.suppress(Conflict, NotFound):
        store.annotate(job_id, [why], time.time())
        store.request_cancel(job_id, time.time())
