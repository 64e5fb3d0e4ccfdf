"""An appliance of a fleet without processes: its real database, desk and agent, hands instead of a runner, a clock that a test sets."""

from __future__ import annotations

import random
import sqlite3
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from appliance import facts, fleet_lease
from appliance.federation.agent import Agent
from appliance.federation.keys import Keys
from appliance.federation.ledger import Ledger
from appliance.federation.local_desk import Clocks, LocalDesk
from appliance.federation.model_store import ModelStore
from appliance.federation.requests import Get, Reply, Request, Status, Talk, Wait
from appliance.federation.rules import Rules
from appliance.federation.signing import Identity, Roster
from appliance.federation.simulation.cast import Cast
from appliance.federation.station import Station
from appliance.federation.timing import Timing
from appliance.federation.wish import Wish
from appliance.jobs import Reason, State
from appliance.paths import Paths
from appliance.running import results
from appliance.shapes import Report
from appliance.store import AWAY, GUEST, Job, NewJob, Store

EPOCH_S = 1.75e9
RUN_S = 20.0
COVER_S = 30.0
_AGAIN_S = 20.0  # until the process is there again after an error


@dataclass
class Sky:
    """The bucket and the network to it. verdict: what every request meets instead of the bucket."""

    store: ModelStore
    now_s: float = 0.0
    verdict: Status | None = None

    @classmethod
    def over_files(cls) -> Sky:
        """Results and archives are real files."""
        return cls(ModelStore(lambda path: Path(path).read_bytes(), _write))

    def perform(self, request: Request) -> Reply:
        if self.verdict is not None:
            return Reply(self.verdict, 0.0, EPOCH_S + self.now_s if self.verdict is Status.DENIED else 0.0)
        return self.store.perform(request, EPOCH_S + self.now_s)


def _write(path: str, body: bytes) -> None:
    partial = Path(path + ".partial")
    try:
        partial.write_bytes(body)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@dataclass
class Outpost:
    """One appliance. ran: how often it ran jobs of a name; errors: what made its process start again."""

    folder: Path
    identity: Identity
    roster: Roster
    sky: Sky
    takes_jobs: bool = True
    errors: list[str] = field(default_factory=list)
    ran: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.paths = Paths(self.folder / "data", self.folder / "run", self.folder / "shm")
        for path in (self.paths.inbox, self.paths.federation):
            path.mkdir(parents=True)
        self.store, self.ledger = Store(self.paths.database), Ledger(self.paths.database)
        clocks = Clocks(lambda: EPOCH_S + self.sky.now_s, lambda: self.sky.now_s)
        rules = Rules(share=1.0 if self.takes_jobs else 0.0)
        self.desk = LocalDesk(self.ledger, self.store, self.paths, rules, Timing().hold_s, clocks)
        self._ends_s, self._up_s, self._beat_s = float("inf"), 0.0, 0.0
        self.rng = random.Random(self.identity.who)
        self.boot()

    @property
    def who(self) -> str:
        return self.identity.who

    def boot(self) -> None:
        """The fleet's process starts, with nothing but what the database holds."""
        station = Station(self.identity, self.roster, Keys(self.roster.fleet), Timing(), self.desk, self.rng)
        station.now_s = self.sky.now_s
        self._talk: Talk[None] = Agent(station).life()
        self.request: Request = next(self._talk)

    def close(self) -> None:
        self.ledger.close()
        self.store.close()

    # --- people -------------------------------------------------------------------------------------------------------

    def submit(self, name: str, archive: bytes | None = None) -> str:
        """A job for the fleet."""
        wish = msgspec.json.encode(Wish())
        job = self.store.add(NewJob("archive", name, "ann", name=name, place=AWAY, wish=wish), EPOCH_S + self.sky.now_s)
        self.paths.upload(job.id).write_bytes(archive or name.encode())
        return job.id

    def submit_here(self, name: str) -> str:
        """A job of the appliance's own."""
        return self.store.add(NewJob("archive", name, "ann", name=name), EPOCH_S + self.sky.now_s).id

    # --- the runner ---------------------------------------------------------------------------------------------------

    def work(self) -> None:
        """What the runner does now: end what is over, begin what waits."""
        if not self.takes_jobs:
            return
        wall_s = EPOCH_S + self.sky.now_s
        if wall_s - self._beat_s > facts.HEARTBEAT_S:
            self._beat_s = wall_s
            self.store.set_fact(facts.RUNNER_HEARTBEAT, f"{wall_s}", wall_s, announce=False)
        for job in self.store.active():
            if job.place == GUEST and not self._covered(job, 0.0):
                self._end(job, State.FAILED, Reason.NO_LEASE)
            elif self.sky.now_s >= self._ends_s:
                self.ran[job.name] += 1
                self._end(job, State.SUCCEEDED, Reason.NONE)
        waiting = self.store.queue()
        if waiting and not self.store.active() and (waiting[0].place != GUEST or self._covered(waiting[0], COVER_S)):
            for state in (State.PREPARING, State.WAITING_FOR_ROBOT, State.RUNNING):
                self.store.move(waiting[0].id, state, wall_s)
            self.store.explain(waiting[0].id, wall_s, Reason.NONE, started_at=wall_s)
            self._ends_s = self.sky.now_s + RUN_S

    def _covered(self, job: Job, needed_s: float) -> bool:
        lease = self.store.lease(job.id)
        return lease is not None and lease.covers(fleet_lease.boot_id(), self.sky.now_s, needed_s)

    def _end(self, job: Job, state: State, reason: Reason) -> None:
        folder, wall_s = self.paths.attempt(job.id, job.attempt), EPOCH_S + self.sky.now_s
        folder.mkdir(parents=True)
        with zipfile.ZipFile(folder / results.BUNDLE, "w") as bundle:
            bundle.writestr(results.REPORT, msgspec.json.encode(_report(job, state, wall_s)))
            bundle.writestr(results.OUTPUT, f"{job.name} on {self.who}")
        self.store.move(job.id, State.COLLECTING, wall_s, ended_at=wall_s)
        self.store.move(job.id, state, wall_s, reason)
        self._ends_s = float("inf")

    # --- the fleet's process --------------------------------------------------------------------------------------------

    def step(self) -> bool:
        """Let one request be answered; False if there is nothing to do now. After an error it starts again, as `serve` does."""
        if self.sky.now_s < self._up_s:
            return False
        if isinstance(self.request, Wait):
            if self.sky.now_s < self.request.until_s and not self.store.changed():
                return False
            reply = Reply(Status.OK, 0.0)
        else:
            try:
                reply = self.sky.perform(self.request)
            except (OSError, sqlite3.OperationalError) as error:
                return self._crash(error)
        reply.now_s = self.sky.now_s
        try:
            self.request = self._talk.send(reply)
        except (OSError, sqlite3.OperationalError) as error:
            return self._crash(error)
        return True

    def _crash(self, error: Exception) -> bool:
        self.errors.append(str(error))
        self._up_s = self.sky.now_s + _AGAIN_S
        self.boot()
        return False

    def due_s(self) -> float:
        """When it has something to do next."""
        waits_until_s = self.request.until_s if isinstance(self.request, Wait) else self.sky.now_s
        return max(self._up_s, min(self._ends_s, waits_until_s))


def outposts(folder: Path, count: int) -> tuple[Sky, list[Outpost]]:
    """A fleet; the first one submits and takes no jobs."""
    sky, cast = Sky.over_files(), Cast(random.Random(1), quick=True)
    return sky, [
        Outpost(folder / f"pi{number}", cast.member(f"pi{number}"), cast.roster(), sky, takes_jobs=number > 0)
        for number in range(count)
    ]


def run(sky: Sky, posts: list[Outpost], seconds: float, until: Callable[[], bool] = lambda: False) -> None:
    """Let time pass, from one thing that is due to the next."""
    end_s = sky.now_s + seconds
    while sky.now_s < end_s and not until():
        for post in posts:
            post.work()
            for _ in range(200):
                if not post.step():
                    break
        due_s = min(post.due_s() for post in posts)
        sky.now_s = min(end_s, max(due_s, sky.now_s + 0.5))


def jobs_in(sky: Sky, keys: Keys) -> dict[str, list[bytes]]:
    """All logs of the bucket."""
    found: dict[str, list[bytes]] = {}
    for key in sky.store.names(keys.queue):
        place = keys.parse_slot(key)
        assert place is not None
        found.setdefault(place[0], []).append(sky.store.perform(Get(key), EPOCH_S).body)
    return found


def _report(job: Job, state: State, wall_s: float) -> Report:
    return Report(
        schema=1, job_id=job.id, attempt=job.attempt, state=state, reason="", detail="", name=job.name,
        submitter=job.submitter, source_kind=job.source_kind, source=job.source, ref="", commit_id="", image=job.image,
        robot="", robot_kind="pendulum", link="twin", parameter_hash="", software="", submitted_at=job.submitted_at,
        started_at=job.started_at, ended_at=wall_s, duration_s=RUN_S, limit_s=120.0, exit_code=0, out_of_memory=False,
        settle_s=0.0, steps=1, missed_steps=0, return_sum=0.0, output_bytes=0, output_dropped_bytes=0, timing=None,
        residual=None, files={},
    )  # fmt: skip
