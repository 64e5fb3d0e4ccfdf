"""Where are the jobs kept? One SQLite file, shared by web UI, runner and federation.

WAL, `BEGIN IMMEDIATE`, short transactions, numbered migrations. Each change of a job adds an event, so an event
stream can resume where it broke off. Times are seconds since the epoch and always arguments.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from appliance import database, fair_share, jobs, ulid
from appliance.errors import Conflict, NotFound
from appliance.fair_share import Place
from appliance.fleet_lease import Lease
from appliance.jobs import Reason, State

EVENTS_KEPT: Final = 10_000
#: Where a job runs, beside '' (of this appliance alone): from the fleet, here; or from here, in the fleet.
GUEST: Final = "guest"
AWAY: Final = "away"
#: Source kind of a job without a program here: somebody drives over the network.
LEASE: Final = "lease"
_LONGEST_LEASE_S: Final = 600.0
_LATEST_S: Final = 253_402_300_799.0  # the end of the year 9999, beyond which no calendar goes
# Columns that a change may carry beside state, reason and detail.
_CHANGEABLE: Final = frozenset(
    {
        "attempt", "cleared_at", "commit_id", "ended_at", "exit_code", "missed_steps", "notes", "pinned", "queue_key",
        "residual", "robot", "standard_return", "started_at", "steps", "twin_return",
    }
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One row of the table `job`; see migrations/0001_jobs.sql for units."""

    id: str
    queue_key: float
    state: State
    reason: Reason
    detail: str
    name: str
    submitter: str
    source_kind: str
    source: str
    ref: str
    commit_id: str
    image: str
    priority: int
    attempt: int
    cancel_requested: bool
    submitted_at: float
    started_at: float | None
    ended_at: float | None
    exit_code: int | None
    steps: int | None
    missed_steps: int | None
    residual: float | None
    place: str = ""
    notes: str = ""
    preflight: bool = False
    pinned: bool = False
    cleared_at: float | None = None
    lease_s: float | None = None  # of a program that drives over the network: its time limit
    standard_return: float | None = None
    twin_return: float | None = None
    robot: str = ""
    board_name: str = ""


@dataclass(frozen=True)
class NewJob:
    """What a submitter says of a job."""

    source_kind: str
    source: str
    submitter: str
    ref: str = ""
    name: str = ""
    image: str = "standard"
    priority: int = 0
    place: str = ""
    wish: bytes = b""  # of a job that goes away: what the fleet is asked for
    preflight: bool = False
    board_name: str = ""
    lease_s: float | None = None


@dataclass(frozen=True)
class Search:
    """Which jobs somebody looks for: a text in name, source or submitter, and one of these states; empty for any."""

    text: str = ""
    states: frozenset[State] = frozenset()

    def condition(self) -> tuple[str, tuple[str, ...]]:
        """SQL and its values."""
        parts, values = ["1"], []
        if self.text:
            plain = self.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            parts.append("(name LIKE ? ESCAPE '\\' OR source LIKE ? ESCAPE '\\' OR submitter LIKE ? ESCAPE '\\')")
            values += [f"%{plain}%"] * 3
        if self.states:
            parts.append(f"state IN ({','.join('?' * len(self.states))})")
            values += sorted(self.states)
        return " AND ".join(parts), tuple(values)


ALL: Final = Search()


@dataclass(frozen=True)
class Event:
    """Something changed: re-read the job (or, for kind 'queue', the queue's facts)."""

    seq: int
    at: float
    kind: str
    job_id: str


class Store:
    """The job store. One instance per thread: SQLite connections are not shared.

    Rows are judged when they are read: one whose id, state, attempt or times aren't legal is as good as absent, because
    the id becomes part of a path, times are shown as dates, and other processes may write to the file.
    """

    def __init__(self, path: Path) -> None:
        self._db = database.connect(path)
        self._data_version = -1

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def _transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        return database.transaction(self._db)

    def changed(self) -> bool:
        """Whether another connection has changed anything since the last call; costs microseconds and no I/O."""
        before, self._data_version = self._data_version, int(self._db.execute("PRAGMA data_version").fetchone()[0])
        return before != self._data_version

    # --- submitting and reading ------------------------------------------------------------------------------

    def add(self, new: NewJob, now_s: float, job_id: str | None = None) -> Job:
        """Queue a job; durable when this returns."""
        job_id = job_id or ulid.new(now_s)
        with self._transaction() as db:
            db.execute(
                "INSERT INTO job (id, queue_key, state, name, submitter, source_kind, source, ref, image, priority,"
                " submitted_at, place, preflight, board_name) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    job_id, now_s, State.QUEUED, new.name, new.submitter, new.source_kind, new.source, new.ref,
                    new.image, new.priority, now_s, new.place, int(new.preflight), new.board_name,
                ),
            )  # fmt: skip
            if new.lease_s is not None:
                db.execute("UPDATE job SET lease_s = ? WHERE id = ?", (new.lease_s, job_id))
            if new.place == AWAY:
                db.execute("INSERT INTO fleet_sent (local_id, wish) VALUES (?, ?)", (job_id, new.wish))
            self._note(db, now_s, "job", job_id)
        return self.get(job_id)

    def get(self, job_id: str) -> Job:
        """One job. Raises NotFound."""
        row = self._db.execute("SELECT * FROM job WHERE id = ?", (job_id,)).fetchone()
        job = None if row is None else _job(row)
        if job is None:
            raise NotFound(f"There is no job {job_id[:40]}.")
        return job

    def recent(self, limit: int = 100, before: str = "", search: Search = ALL) -> list[Job]:
        """Newest jobs first, at most `limit`, older than the id `before` if given."""
        condition, values = search.condition()
        query = f"SELECT * FROM job WHERE (? = '' OR id < ?) AND {condition} ORDER BY id DESC LIMIT ?"  # noqa: S608 - ours
        return _jobs(self._db.execute(query, (before, before, *values, limit)))

    def queue(self) -> list[Job]:
        """Jobs that wait for this robot, in the order they will run."""
        rows = self._db.execute("SELECT * FROM job WHERE state = ? AND place <> ?", (State.QUEUED, AWAY))
        waiting = {job.id: job for job in _jobs(rows)}
        places = [
            Place(job.id, job.submitter, job.queue_key, job.priority, again=job.attempt > 1) for job in waiting.values()
        ]
        return [waiting[job_id] for job_id in fair_share.order(places, [job.submitter for job in self.active()])]

    def active(self) -> list[Job]:
        """Jobs between claim and end on this robot, oldest first."""
        marks = ",".join("?" * len(jobs.ACTIVE))
        query = f"SELECT * FROM job WHERE state IN ({marks}) AND place <> ? ORDER BY id"  # noqa: S608 - question marks only
        return _jobs(self._db.execute(query, (*jobs.ACTIVE, AWAY)))

    def away(self) -> list[Job]:
        """Jobs that were submitted here for the fleet and haven't ended, oldest first."""
        rows = self._db.execute("SELECT * FROM job WHERE place = ? AND ended_at IS NULL ORDER BY id", (AWAY,))
        return [job for job in _jobs(rows) if not job.state.is_final]

    def count(self, search: Search = ALL) -> int:
        """How many jobs there are."""
        condition, values = search.condition()
        return int(self._db.execute(f"SELECT count(*) FROM job WHERE {condition}", values).fetchone()[0])  # noqa: S608 - ours

    def residuals(self, limit: int = 60) -> list[float]:
        """The twin's error in the newest jobs that this robot ran, rad, newest first."""
        found = "SELECT residual FROM job WHERE residual IS NOT NULL AND place <> ? ORDER BY ended_at DESC LIMIT ?"
        return [float(error) for (error,) in self._db.execute(found, (AWAY, limit))]

    def leaders(self, limit: int = 100) -> list[Job]:
        """The best job of each name on the leaderboard, on each robot, the best one first."""
        query = (
            "SELECT * FROM job WHERE id IN (SELECT id FROM (SELECT id, max(standard_return) FROM job"
            " WHERE standard_return IS NOT NULL AND board_name <> '' GROUP BY board_name COLLATE NOCASE, robot))"
            " ORDER BY standard_return DESC, id LIMIT ?"
        )
        return _jobs(self._db.execute(query, (limit,)))

    def unlisted(self) -> int:
        """How many jobs did the standard task and aren't on the leaderboard."""
        query = "SELECT count(*) FROM job WHERE standard_return IS NOT NULL AND board_name = ''"
        return int(self._db.execute(query).fetchone()[0])

    # --- the runner's side ----------------------------------------------------------------------------------

    def claim(self, now_s: float) -> Job | None:
        """Move the first queued job to `preparing` and return it; two claimers never get the same one."""
        with self._transaction() as db:
            job = next(iter(self.queue()), None)
            if job is not None:
                reason = Reason.FETCHING if job.source_kind == "git" else Reason.UNPACKING
                self._set(db, job.id, now_s, state=State.PREPARING, reason=reason, detail="")
        return None if job is None else self.get(job.id)

    def put_back(self, job_id: str, now_s: float, reason: Reason, detail: str = "", attempt: int | None = None) -> Job:
        """Queue an active job again; cancelled instead if that was asked for. Raises NotFound, Conflict.

        With an `attempt` it goes to the front, as a new attempt; without one it keeps its place.
        """
        with self._transaction() as db:
            job = self.get(job_id)
            if not jobs.may_follow(job.state, State.QUEUED):
                raise Conflict(f"Job {job_id} is {job.state}; it can't be queued again.")
            if job.cancel_requested:
                self._set(db, job_id, now_s, state=State.CANCELLED, reason=Reason.BY_USER, detail="", ended_at=now_s)
            elif attempt is None:
                self._set(db, job_id, now_s, state=State.QUEUED, reason=reason, detail=detail)
            else:
                fresh = {"started_at": None, "exit_code": None, "steps": None, "missed_steps": None}
                front = min([job.queue_key, *(other.queue_key - 1.0 for other in self.queue())])
                self._set(
                    db, job_id, now_s,
                    state=State.QUEUED, reason=reason, detail=detail, attempt=attempt, queue_key=front, **fresh,
                )  # fmt: skip
        return self.get(job_id)

    def move(
        self,
        job_id: str,
        state: State,
        now_s: float,
        reason: Reason = Reason.NONE,
        detail: str = "",
        **fields: Any,
    ) -> Job:
        """Go to another state in one transaction. Raises Conflict if the rules of `jobs` forbid it.

        `fields` are further columns (started_at, ended_at, exit_code, steps, missed_steps, attempt, commit_id, queue_key).
        """
        with self._transaction() as db:
            job = self.get(job_id)
            if not jobs.may_follow(job.state, state):
                raise Conflict(f"Job {job_id} is {job.state}; it can't become {state}.")
            self._set(db, job_id, now_s, state=state, reason=reason, detail=detail, **fields)
        return self.get(job_id)

    def explain(self, job_id: str, now_s: float, reason: Reason, detail: str = "", **fields: Any) -> None:
        """Say why a job is in its state, without moving it; silent when nothing changes."""
        with self._transaction() as db:
            job = self.get(job_id)
            if fields or (job.reason, job.detail) != (reason, detail):
                self._set(db, job_id, now_s, reason=reason, detail=detail, **fields)

    def follow(self, job_id: str, now_s: float, **fields: Any) -> None:
        """A job that is away is where the fleet's log says it is: change its row. Silent when nothing changes."""
        with self._transaction() as db:
            job = self.get(job_id)
            if job.place != AWAY:
                raise Conflict(f"Job {job_id} isn't in the fleet's hands.")
            if any(getattr(job, name) != value for name, value in fields.items()):
                self._set(db, job_id, now_s, **fields)

    def lease(self, job_id: str) -> Lease | None:
        """Until when a job from the fleet may be acted on; None if the fleet's log doesn't (or no longer) say so."""
        row = self._db.execute("SELECT boot, until_s FROM fleet_held WHERE local_id = ?", (job_id,)).fetchone()
        return None if row is None else Lease(str(row["boot"]), float(row["until_s"]))

    def progress(self, job_id: str, reason: Reason, now_s: float) -> None:
        """Say how far a job's preparation is, if it is still being prepared."""
        with self._transaction() as db:
            if self.get(job_id).state is State.PREPARING:
                self._set(db, job_id, now_s, reason=reason, detail="")

    def annotate(self, job_id: str, notes: Iterable[str], now_s: float) -> None:
        """Replace what the submitter is told beside the state; silent when nothing changes."""
        text = "\n".join(" ".join(note.split()) for note in notes)
        with self._transaction() as db:
            if self.get(job_id).notes != text:
                self._set(db, job_id, now_s, notes=text)

    def request_cancel(self, job_id: str, now_s: float) -> Job:
        """Cancel: a queued job ends at once, an active one when the runner sees the mark. Raises NotFound, Conflict."""
        with self._transaction() as db:
            state = self.get(job_id).state
            if state.is_final:
                raise Conflict(f"Job {job_id} has already ended ({state}).")
            if state is State.QUEUED and self.get(job_id).place != AWAY:
                self._set(db, job_id, now_s, state=State.CANCELLED, reason=Reason.BY_USER, detail="", ended_at=now_s)
            elif state is not State.COLLECTING:  # its end is decided by now
                self._set(db, job_id, now_s, cancel_requested=1)
        return self.get(job_id)

    # --- the owner's side -----------------------------------------------------------------------------------

    def reorder(self, job_id: str, position: int, now_s: float) -> Job:
        """Put a waiting job at `position` of the queue and keep it there. Raises NotFound, Conflict.

        1 is next, before one that is prepared already: the runner then puts that one back.
        """
        with self._transaction() as db:
            if self.get(job_id).state is not State.QUEUED:
                raise Conflict(f"Job {job_id} doesn't wait in the queue, so it has no place to change.")
            line = [job for job in self.active() if job.state is State.PREPARING and job.attempt == 1] + self.queue()
            for other, priority in fair_share.with_moved([job.id for job in line], job_id, position).items():
                db.execute("UPDATE job SET priority = ? WHERE id = ? AND priority <> ?", (priority, other, priority))
            self._note(db, now_s, "job", job_id)
            self._note(db, now_s, "queue", "")
        return self.get(job_id)

    def pin(self, job_id: str, pinned: bool, now_s: float) -> Job:
        """Keep a job's results whatever happens, or no longer. Raises NotFound."""
        with self._transaction() as db:
            if self.get(job_id).pinned != pinned:
                self._set(db, job_id, now_s, pinned=int(pinned))
        return self.get(job_id)

    def set_board_name(self, job_id: str, board_name: str, now_s: float) -> Job:
        """List a job on the leaderboard under a name; '' takes it off. Raises NotFound."""
        with self._transaction() as db:
            if self.get(job_id).board_name != board_name:
                self._set(db, job_id, now_s, board_name=board_name)
        return self.get(job_id)

    def clearable(self, newest: int, limit: int) -> list[Job]:
        """Ended jobs whose results may make room, the oldest first, at most `limit`; the `newest` ones are kept.

        Neither pinned ones nor what the fleet still waits for.
        """
        marks = ",".join("?" * len(jobs.FINAL))
        query = (
            f"SELECT * FROM job WHERE state IN ({marks}) AND pinned = 0 AND cleared_at IS NULL"  # noqa: S608 - question marks only
            " AND id NOT IN (SELECT local_id FROM fleet_held)"
            " AND id NOT IN (SELECT local_id FROM fleet_sent WHERE state <> 'home')"
            " AND id NOT IN (SELECT id FROM job WHERE cleared_at IS NULL ORDER BY id DESC LIMIT ?) ORDER BY ended_at, id LIMIT ?"
        )
        return _jobs(self._db.execute(query, (*jobs.FINAL, newest, limit)))

    def clear(self, job_id: str, now_s: float) -> bool:
        """Mark an ended job's results as cleared, before they are removed; False if it was pinned meanwhile."""
        with self._transaction() as db:
            job = self.get(job_id)
            if job.pinned or not job.state.is_final:
                return False
            self._set(db, job_id, now_s, cleared_at=now_s)
        return True

    def cleared(self) -> list[Job]:
        """Jobs whose results have made room."""
        return _jobs(self._db.execute("SELECT * FROM job WHERE cleared_at IS NOT NULL"))

    # --- events and facts ------------------------------------------------------------------------------------

    def events_after(self, seq: int, limit: int = 500) -> list[Event]:
        """What happened after event `seq`, oldest first."""
        rows = self._db.execute("SELECT * FROM event WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit))
        return [Event(**dict(row)) for row in rows]

    def last_event(self) -> int:
        """Number of the newest event; 0 if there is none."""
        return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM event").fetchone()[0])

    def fact(self, key: str, default: str = "") -> str:
        """A shared fact."""
        row = self._db.execute("SELECT value FROM fact WHERE key = ?", (key,)).fetchone()
        return default if row is None else str(row["value"])

    def set_fact(self, key: str, value: str, now_s: float, *, announce: bool = True) -> None:
        """Set a shared fact (keys: `appliance.facts`); a change is an event of kind 'queue' unless told not to be one."""
        if self.fact(key) == value:
            return
        with self._transaction() as db:
            db.execute(
                "INSERT INTO fact VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (key, value),
            )
            if announce:
                self._note(db, now_s, "queue", "")

    def _set(self, db: sqlite3.Connection, job_id: str, now_s: float, **fields: Any) -> None:
        strange = fields.keys() - _CHANGEABLE - {"state", "reason", "detail", "cancel_requested", "board_name"}
        if strange:
            raise ValueError(f"a job's {', '.join(sorted(strange))} never changes")
        columns = ", ".join(f"{name} = ?" for name in fields)
        db.execute(f"UPDATE job SET {columns} WHERE id = ?", (*fields.values(), job_id))  # noqa: S608 - names are ours
        self._note(db, now_s, "job", job_id)

    def _note(self, db: sqlite3.Connection, now_s: float, kind: str, job_id: str) -> None:
        cursor = db.execute("INSERT INTO event (at, kind, job_id) VALUES (?, ?, ?)", (now_s, kind, job_id))
        db.execute("DELETE FROM event WHERE seq <= ?", ((cursor.lastrowid or 0) - EVENTS_KEPT,))


def _jobs(rows: Iterable[sqlite3.Row]) -> list[Job]:
    return [job for row in rows if (job := _job(row)) is not None]


def _job(row: sqlite3.Row) -> Job | None:
    """The row as a job, or None if it can't be one."""
    values = dict(row)
    try:
        values["state"] = State(values["state"])
        values["reason"] = Reason(values["reason"])
    except ValueError:
        return None
    if not ulid.is_valid(values["id"]) or not 1 <= values["attempt"] <= jobs.MAX_ATTEMPTS:
        return None
    if not all(
        0.0 <= (values[name] or 0.0) <= _LATEST_S for name in ("submitted_at", "started_at", "ended_at", "cleared_at")
    ):
        return None
    if values["lease_s"] is not None:
        if not 0.0 < values["lease_s"] <= _LONGEST_LEASE_S:
            return None
        values["source_kind"] = LEASE  # for which the table's own check, older than leases, has no word
    for name in ("cancel_requested", "preflight", "pinned"):
        values[name] = bool(values[name])
    return Job(**values)
