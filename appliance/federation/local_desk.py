"""The desk of a real appliance: what planning decides becomes rows in the queue, and what became of them is told to planning.

Everything that comes from the fleet was written by other appliances: texts are made printable, states must be ours, and no
name of theirs becomes part of a path.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from appliance import facts, fleet_lease, ulid
from appliance.federation import outbox
from appliance.federation.desk import Finished, Held, Progress, Submission
from appliance.federation.entries import Spec
from appliance.federation.guest import Guest
from appliance.federation.joblog import JobLog, Phase
from appliance.federation.ledger import HeldRow, Ledger
from appliance.federation.outbox import Outbox
from appliance.federation.rules import Rules
from appliance.jobs import State
from appliance.paths import Paths
from appliance.store import GUEST, Job, NewJob, Store
from appliance.terminal import line

#: Folder of downloads, below the fleet's; what stands there at a start is left over.
INCOMING: Final = "incoming"
_DAY_S = 86400.0
_RUNNER_SILENT_S = 4 * facts.HEARTBEAT_S
#: Jobs of the appliance's own people go first.
_GUEST_PRIORITY = -1


@dataclass(frozen=True)
class Clocks:
    """Wall clock, and the one that leases are written in."""

    wall_s: Callable[[], float] = time.time
    lease_s: Callable[[], float] = fleet_lease.now_s


class LocalDesk:
    """Between the agent and the appliance. hold_s: half a lease."""

    def __init__(self, ledger: Ledger, store: Store, paths: Paths, rules: Rules, hold_s: float, clocks: Clocks) -> None:
        self._ledger, self._store, self._paths, self._rules = ledger, store, paths, rules
        self._hold_s, self._clocks, self._boot = hold_s, clocks, fleet_lease.boot_id()
        self._guest = Guest(store, paths)
        self._outbox = Outbox(ledger, store, paths, self.complain, clocks.wall_s, rules.limit_s)

    # --- taking jobs ------------------------------------------------------------------------------------------------

    def idle(self) -> bool:
        """Whether the robot is free for the fleet, and the owner's rules allow it now."""
        return not self.busy()

    def busy(self) -> str:
        """Why no job is taken from the fleet now, '' if one would be."""
        store, now_s = self._store, self._clocks.wall_s()
        if store.fact(facts.QUEUE_PAUSED) or store.fact(facts.QUEUE_HOLD):
            return store.fact(facts.QUEUE_HOLD) or "The queue is paused."
        if now_s - float(store.fact(facts.RUNNER_HEARTBEAT, "0")) > _RUNNER_SILENT_S:
            return "The runner is silent."
        # One that changes places between two looks is seen by a third.
        if store.active() or store.queue() or store.active():
            return "Its own jobs come first."
        local = time.localtime(now_s)
        return self._rules.not_now(local.tm_hour * 60 + local.tm_min, self._guest.given_s(now_s - _DAY_S))

    def fits(self, spec: Spec) -> bool:
        """Whether this robot meets a job's needs, and its owner takes jobs of this submitter."""
        return not self._rules.objection(spec)

    def held(self) -> Held | None:
        """The job that is held, or may be."""
        row = self._ledger.held()
        return None if row is None else row.held

    def hold(self, held: Held) -> None:
        """Remember a claim, before it is sent and again when it is sure."""
        self._ledger.hold(held)

    def let_go(self, why: str) -> None:
        """Forget the held job; without its row the runner ends it, or never begins it."""
        row = self._ledger.held()
        self._ledger.let_go()
        if row is not None and row.local_id:
            self._guest.dismiss(row.local_id, why, self._clocks.wall_s())

    def start(self, held: Held, spec: Spec, archive: str) -> None:
        """Queue the held job here; nothing new if that was done before a restart."""
        row = self._ledger.held()
        assert row is not None
        assert row.held.job == held.job
        problem = self._guest.objection(spec, archive)
        if problem:
            self._ledger.fail(problem)
            return
        now_s = self._clocks.wall_s()
        local_id = row.local_id or ulid.new(now_s)
        if not row.local_id:
            self._ledger.adopt(local_id, msgspec.json.encode(spec), self._clocks.lease_s())
        if self._guest.find(local_id) is None:
            self._guest.bring(local_id, spec, archive)
            self._store.add(_guest_job(spec), now_s, local_id)

    def extend(self, until_s: float) -> None:
        """The held job may be acted on until then."""
        self._ledger.extend(self._boot, until_s)

    def stop(self) -> None:
        """The lease is lost: the runner ends the job's program."""
        self._ledger.extend(self._boot, 0.0)

    def finished(self) -> Finished | None:
        """What became of the held job; None while it runs."""
        row = self._ledger.held()
        if row is None or not row.held.sure:
            return None
        if row.problem:
            return Finished(None, row.problem)
        if not row.local_id:
            return None
        job = self._guest.find(row.local_id)
        if job is None:
            return Finished(None, "The appliance lost the job.")
        if job.state.is_final:
            return self._guest.ended(job)
        return self._overdue(row, job)

    def _overdue(self, row: HeldRow, job: Job) -> Finished | None:
        """A job that can't begin within half a lease goes back to the fleet."""
        waits = job.state in {State.QUEUED, State.PREPARING}
        if not waits or self._clocks.lease_s() - row.since_s < self._hold_s:
            return None
        return Finished(None, line(self._store.fact(facts.QUEUE_HOLD)) or "The robot was busy with other jobs.")

    def live_s(self) -> float:
        """How often its submitter wants to hear of the held job while it is here; 0: never."""
        row = self._ledger.held()
        if row is None or not row.spec:
            return 0.0
        return msgspec.json.decode(row.spec, type=Spec).live_s

    def progress(self) -> Progress | None:
        """How the held job is; None before it is here."""
        row = self._ledger.held()
        job = self._guest.find(row.local_id) if row is not None else None
        return None if job is None else self._guest.progress(job, self._clocks.wall_s())

    # --- giving jobs to others --------------------------------------------------------------------------------------

    def unsent(self) -> Submission | None:
        """A submission that the fleet doesn't have yet."""
        return self._outbox.unsent()

    def name(self, number: int, job: str, sealed: bytes) -> None:
        """Remember under which name a submission is sent, before it is."""
        self._ledger.name(number, job, sealed)

    def sent(self, number: int) -> None:
        """The fleet has it."""
        self._outbox.sent(number)

    def waiting(self) -> list[Submission]:
        """Submissions that the fleet has and whose result isn't here."""
        return [outbox.submission(row, self._paths) for row in self._ledger.sent("sent")]

    def unwanted(self) -> frozenset[str]:
        """Those of `waiting` that their submitters have cancelled."""
        cancelled = {job.id for job in self._store.away() if job.cancel_requested}
        if not cancelled:
            return frozenset()
        return frozenset(row.job for row in self._ledger.sent("sent") if row.local_id in cancelled)

    def saw(self, job: str, phase: Phase, holder: str) -> None:
        """What a look at the fleet showed of a waiting job."""
        self._outbox.saw(job, phase, holder)

    def show(self, job: str, holder: str, progress: Progress) -> None:
        """How a waiting job is where it runs, by its holder's word."""
        self._outbox.show(job, holder, progress)

    def deliver(self, log: JobLog, files: dict[str, str]) -> None:
        """The end of a waiting job. The same end may come twice."""
        self._outbox.deliver(log, files)

    def place(self, name: str) -> str:
        """A local path to download to."""
        safe = name if name.isalnum() else hashlib.sha256(name.encode()).hexdigest()
        folder = self._paths.federation / INCOMING
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder / safe)

    def complain(self, who: str, text: str) -> None:
        """Somebody broke the fleet's rules, or the fleet can't be used."""
        self._ledger.complain(self._clocks.wall_s(), who, line(text)[:1000])


def _guest_job(spec: Spec) -> NewJob:
    submitter = line(spec.submitter.partition("@")[0])[:40].strip() or "anonymous"
    return NewJob(
        "archive", f"fleet job {spec.job}", f"{submitter}@{spec.by}", name=line(spec.name)[:80], image=spec.needs.image,
        priority=_GUEST_PRIORITY, place=GUEST,
    )  # fmt: skip
