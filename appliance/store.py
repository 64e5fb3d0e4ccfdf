"""Where are the jobs kept? One SQLite file, shared by web UI, runner and federation.

WAL, `BEGIN IMMEDIATE`, short transactions, numbered migrations. Each change of a job adds an event, so an event
stream can resume where it broke off. Times are seconds since the epoch and always arguments.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from appliance import jobs, ulid
from appliance.errors import Conflict, NotFound
from appliance.jobs import Reason, State

BUSY_TIMEOUT_S = 10.0
_EVENTS_KEPT = 10_000


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


@dataclass(frozen=True)
class Event:
    """Something changed: re-read the job (or, for kind 'queue', the queue's facts)."""

    seq: int
    at: float
    kind: str
    job_id: str


class Store:
    """The job store. One instance per thread: SQLite connections are not shared."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        self._migrate()

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _migrate(self) -> None:
        folder = resources.files("appliance").joinpath("migrations")
        scripts = sorted(
            (entry.name, entry.read_text()) for entry in folder.iterdir() if entry.name.endswith(".sql")
        )
        with self._transaction() as db:
            done = int(db.execute("PRAGMA user_version").fetchone()[0])
            for name, script in scripts[done:]:
                for statement in _statements(script):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {int(name[:4])}")

    # --- submitting and reading ------------------------------------------------------------------------------

    def add(self, new: NewJob, now_s: float, job_id: str | None = None) -> Job:
        """Queue a job; durable when this returns."""
        job_id = job_id or ulid.new(now_s)
        with self._transaction() as db:
            db.execute(
                "INSERT INTO job (id, queue_key, state, name, submitter, source_kind, source, ref, image, priority,"
                " submitted_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    job_id, now_s, State.QUEUED, new.name, new.submitter, new.source_kind, new.source, new.ref,
                    new.image, new.priority, now_s,
                ),
            )  # fmt: skip
            self._note(db, now_s, "job", job_id)
        return self.get(job_id)

    def get(self, job_id: str) -> Job:
        """One job. Raises NotFound."""
        row = self._db.execute("SELECT * FROM job WHERE id = ?", (job_id,)).fetchone()
        if row is None:
            raise NotFound(f"There is no job {job_id}.")
        return _job(row)

    def recent(self, limit: int = 100, before: str = "") -> list[Job]:
        """Newest jobs first, at most `limit`, older than the id `before` if given."""
        rows = self._db.execute(
            "SELECT * FROM job WHERE (? = '' OR id < ?) ORDER BY id DESC LIMIT ?", (before, before, limit)
        )
        return [_job(row) for row in rows]

    def queue(self) -> list[Job]:
        """Jobs that wait, in the order they will run."""
        rows = self._db.execute(
            "SELECT * FROM job WHERE state = ? ORDER BY priority DESC, queue_key, id", (State.QUEUED,)
        )
        return [_job(row) for row in rows]

    def active(self) -> list[Job]:
        """Jobs between claim and end, oldest first."""
        marks = ",".join("?" * len(jobs.ACTIVE))
        rows = self._db.execute(f"SELECT * FROM job WHERE state IN ({marks}) ORDER BY id", tuple(jobs.ACTIVE))  # noqa: S608
        return [_job(row) for row in rows]

    def count(self) -> int:
        """How many jobs there are."""
        return int(self._db.execute("SELECT count(*) FROM job").fetchone()[0])

    # --- the runner's side ----------------------------------------------------------------------------------

    def claim(self, now_s: float) -> Job | None:
        """Move the first queued job to `preparing` and return it; two claimers never get the same one."""
        with self._transaction() as db:
            row = db.execute(
                "SELECT id FROM job WHERE state = ? ORDER BY priority DESC, queue_key, id LIMIT 1",
                (State.QUEUED,),
            ).fetchone()
            if row is None:
                return None
            self._set(db, row["id"], now_s, state=State.PREPARING, reason=Reason.NONE, detail="")
        return self.get(row["id"])

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
            row = db.execute("SELECT state FROM job WHERE id = ?", (job_id,)).fetchone()
            if row is None:
                raise NotFound(f"There is no job {job_id}.")
            if not jobs.may_follow(State(row["state"]), state):
                raise Conflict(f"Job {job_id} is {row['state']}; it can't become {state}.")
            self._set(db, job_id, now_s, state=state, reason=reason, detail=detail, **fields)
        return self.get(job_id)

    def explain(self, job_id: str, now_s: float, reason: Reason, detail: str = "", **fields: Any) -> None:
        """Say why a job is in its state, without moving it; silent when nothing changes."""
        with self._transaction() as db:
            row = db.execute("SELECT reason, detail FROM job WHERE id = ?", (job_id,)).fetchone()
            if row is not None and (fields or (row["reason"], row["detail"]) != (reason, detail)):
                self._set(db, job_id, now_s, reason=reason, detail=detail, **fields)

    def request_cancel(self, job_id: str, now_s: float) -> Job:
        """Cancel: a queued job ends at once, an active one when the runner sees the mark. Raises NotFound, Conflict."""
        with self._transaction() as db:
            row = db.execute("SELECT state FROM job WHERE id = ?", (job_id,)).fetchone()
            if row is None:
                raise NotFound(f"There is no job {job_id}.")
            state = State(row["state"])
            if state.is_final:
                raise Conflict(f"Job {job_id} has already ended ({state}).")
            if state is State.QUEUED:
                self._set(db, job_id, now_s, state=State.CANCELLED, reason=Reason.BY_USER, ended_at=now_s)
            else:
                self._set(db, job_id, now_s, cancel_requested=1)
        return self.get(job_id)

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

    def set_fact(self, key: str, value: str, now_s: float) -> None:
        """Set a shared fact; a change is an event of kind 'queue'."""
        if self.fact(key) == value:
            return
        with self._transaction() as db:
            db.execute(
                "INSERT INTO fact VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                (key, value),
            )
            self._note(db, now_s, "queue", "")

    def _set(self, db: sqlite3.Connection, job_id: str, now_s: float, **fields: Any) -> None:
        columns = ", ".join(f"{name} = ?" for name in fields)
        db.execute(f"UPDATE job SET {columns} WHERE id = ?", (*fields.values(), job_id))  # noqa: S608 - names are ours
        self._note(db, now_s, "job", job_id)

    def _note(self, db: sqlite3.Connection, now_s: float, kind: str, job_id: str) -> None:
        cursor = db.execute("INSERT INTO event (at, kind, job_id) VALUES (?, ?, ?)", (now_s, kind, job_id))
        db.execute("DELETE FROM event WHERE seq <= ?", ((cursor.lastrowid or 0) - _EVENTS_KEPT,))


def _statements(script: str) -> Iterator[str]:
    """The statements of a migration, one by one: executescript() would commit the surrounding transaction."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _job(row: sqlite3.Row) -> Job:
    values = dict(row)
    values["state"] = State(values["state"])
    values["reason"] = Reason(values["reason"])
    values["cancel_requested"] = bool(values["cancel_requested"])
    return Job(**values)
