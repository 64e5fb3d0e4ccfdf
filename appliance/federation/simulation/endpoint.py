"""Does the plan hold on a real server? The same members in real time, each in a thread, against an endpoint.

Everything is some forty times faster, so a lease is twenty seconds. Faults are made at the client: answers that are
thrown away, appliances that die or stop for a while in the middle of a job.
"""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from dataclasses import replace

from appliance.errors import RaasError
from appliance.federation.driver import drive
from appliance.federation.keys import Keys
from appliance.federation.probe import probe
from appliance.federation.requests import Fetch, Get, List, Put, Reply, Request, Send, Status
from appliance.federation.s3_store import Bucket, S3Store
from appliance.federation.simulation.audit import Audit
from appliance.federation.simulation.cast import Cast
from appliance.federation.simulation.member import Member
from appliance.federation.simulation.play import fates_of, idle_day, members_of
from appliance.federation.simulation.report import Report
from appliance.federation.simulation.settings import Settings
from appliance.federation.simulation.summary import Run
from appliance.federation.simulation.world import Tally

MOST_APPLIANCES = 100
MOST_JOBS = 2000
_SCALE = 1 / 45
_PATIENCE_S = 1800.0


def play_on(where: Bucket, settings: Settings) -> Report:
    """Run one bounded simulation on a real endpoint. Raises UnfitStore, or RaasError where it would be too large."""
    if settings.appliances > MOST_APPLIANCES or settings.jobs > MOST_JOBS:
        raise RaasError(
            f"On an endpoint at most {MOST_APPLIANCES} appliances and {MOST_JOBS} jobs; leave --endpoint out."
        )
    began_s = time.monotonic()
    fast = replace(settings, timing=settings.timing.scaled(_SCALE), run_s=(0.5, 2.0), compactors=0)
    rng = random.Random(settings.seed)
    cast = Cast(rng, fleet=f"simulated-{settings.seed}-{int(time.time())}")
    store = S3Store(where)
    probe(store.perform, Keys(cast.fleet), "pi00000", time.time())
    members = members_of(fast, cast, rng)
    fates = _Fates(fates_of(fast, members, rng))
    left = settings.jobs
    while left > 0:
        count = min(left, settings.batch)
        rng.choice(members).desk.submit(count)
        left -= count
    tally = _run(fast, store, members, fates)
    audit = Audit(cast.roster(), Keys(cast.fleet))
    audit.take(_objects(store, audit.keys.queue))
    store.close()
    took_s = time.monotonic() - began_s
    return Run(
        where.endpoint or "AWS", settings, audit, tally, members, fates.gone,
        dict(tally.requests), idle_day(settings), took_s / 3600, took_s,
    ).report()  # fmt: skip


class _Fates:
    """What happens to whoever begins the so-many-th job. Safe for several threads. gone: who never comes back."""

    def __init__(self, by_start: dict[int, str]) -> None:
        self._by_start, self._starts, self._lock = by_start, 0, threading.Lock()
        self.gone: set[str] = set()

    def strike(self, who: str) -> str:
        """`who` has just begun a job: its fate, '' for none."""
        with self._lock:
            what = self._by_start.get(self._starts, "")
            self._starts += 1
            if what == "killed_for_good":
                self.gone.add(who)
            return what


class _Life:
    """One member in its thread."""

    def __init__(
        self, member: Member, store: S3Store, settings: Settings, tally: Tally, fates: _Fates, over: threading.Event
    ) -> None:
        self._member, self._store, self._settings, self._fates = member, store, settings, fates
        self._tally, self._over, self._dead = tally, over, False
        self._begun = 0  # jobs
        self._zero_s = time.monotonic()

    def live(self) -> None:
        """Boot, and boot again after each death that isn't the last."""
        while not self._over.is_set():
            self._dead = False
            self._member.boot()
            assert self._member.talk is not None
            drive(self._member.talk, self._perform, self._clock, self._sleep, lambda: self._dead or self._over.is_set())
            if not self._dead or self._over.wait(self._member.paused_until_s):
                return

    def _clock(self) -> float:
        self._member.desk.now_s = self._member.local_s(time.monotonic() - self._zero_s)
        self._meet_fate()
        return self._member.desk.now_s

    def _sleep(self, seconds: float) -> None:
        now_s = self._member.desk.now_s
        self._over.wait(self._member.desk.next_event_s(now_s + seconds) - now_s)

    def _perform(self, request: Request) -> Reply:
        self._tally.count(request)
        request = _without_files(request)
        luck = self._member.rng.random()
        if luck < self._settings.faults.lost / 2:
            return Reply(Status.LOST, 0.0)
        if isinstance(request, Put) or luck >= self._settings.faults.lost:
            reply = self._store.perform(request)
            if luck >= self._settings.faults.lost:
                return reply
        self._tally.events["lost_replies"] += 1
        return Reply(Status.LOST, 0.0)

    def _meet_fate(self) -> None:
        desk = self._member.desk
        if len(desk.starts) == self._begun:
            return
        self._begun = len(desk.starts)
        what, lease_s = self._fates.strike(self._member.who), self._settings.timing.lease_s
        if not what:
            return
        self._tally.events[what] += 1
        if what == "paused":
            self._over.wait(self._member.rng.uniform(1.2, 3.0) * lease_s)
            desk.now_s = self._member.local_s(time.monotonic() - self._zero_s)
            return
        desk.ends_s, self._dead = float("inf"), True
        self._member.paused_until_s = 1e9 if what == "killed_for_good" else self._member.rng.uniform(0.2, 3.0) * lease_s


def _without_files(request: Request) -> Request:
    """Simulated results have a name and no content."""
    match request:
        case Send(key=key, sha256=sha256):
            return Put(key, sha256.encode())
        case Fetch(key=key):
            return Get(key)
    return request


def _run(settings: Settings, store: S3Store, members: list[Member], fates: _Fates) -> Tally:
    """Let everybody live until all submitters have what they asked for, and a few leases more."""
    tally, over = Tally(Counter(), Counter()), threading.Event()
    threads = [
        threading.Thread(target=_Life(member, store, settings, tally, fates, over).live, name=member.who, daemon=True)
        for member in members
    ]
    for thread in threads:
        thread.start()
    deadline_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline_s and not all(m.desk.is_settled for m in members if m.who not in fates.gone):
        time.sleep(0.2)
    # Late comers and the jobs of those that never came back.
    time.sleep(4 * settings.timing.lease_s)
    over.set()
    for thread in threads:
        thread.join(60.0)
    return tally


def _objects(store: S3Store, prefix: str) -> list[tuple[str, bytes, float]]:
    found: list[tuple[str, bytes, float]] = []
    after = ""
    while True:
        page = store.perform(List(prefix, after))
        found += [(row.key, store.perform(Get(row.key)).body, row.written_s) for row in page.rows]
        if not page.truncated:
            return found
        after = page.rows[-1].key
