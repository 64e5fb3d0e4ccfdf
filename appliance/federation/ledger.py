"""Where does a member keep what it must not forget? The fleet's tables in the appliance's database. Every change is durable."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance import database
from appliance.federation.desk import Held

_COMPLAINTS_KEPT: Final = 300


@dataclass(frozen=True)
class HeldRow:
    """The claimed job. local_id: its row in the queue; problem: why it can't be run here; since_s: when it was handed over."""

    held: Held
    spec: bytes
    local_id: str
    problem: str
    since_s: float


@dataclass(frozen=True)
class Sent:
    """A job of this appliance's own for the fleet. spec: empty until its archive was looked at."""

    number: int
    local_id: str
    wish: bytes
    spec: bytes
    job: str
    sealed: bytes


@dataclass(frozen=True)
class Complaint:
    """Something that was refused."""

    at: float
    who: str
    text: str


class Ledger:
    """The fleet's rows. One instance per thread."""

    def __init__(self, path: Path) -> None:
        self._db = database.connect(path)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def held(self) -> HeldRow | None:
        """The job that is held, or may be."""
        row = self._db.execute("SELECT * FROM fleet_held").fetchone()
        if row is None:
            return None
        held = Held(row["job"], row["token"], row["sealed"], bool(row["sure"]))
        return HeldRow(held, row["spec"], row["local_id"], row["problem"], row["since"])

    def hold(self, held: Held) -> None:
        """Remember a claim; what is known of its run stays, if it is the same one."""
        with database.transaction(self._db) as db:
            db.execute("DELETE FROM fleet_held WHERE job <> ? OR token <> ?", (held.job, held.token))
            db.execute(
                "INSERT INTO fleet_held (id, job, token, sealed, sure) VALUES (1, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO UPDATE SET sure = excluded.sure",
                (held.job, held.token, held.sealed, held.sure),
            )

    def adopt(self, local_id: str, spec: bytes, since_s: float) -> None:
        """The held job is to be run as the local job `local_id`."""
        self._change("UPDATE fleet_held SET local_id = ?, spec = ?, since = ?", (local_id, spec, since_s))

    def fail(self, problem: str) -> None:
        """The held job can't be run here."""
        self._change("UPDATE fleet_held SET problem = ? WHERE problem = ''", (problem,))

    def extend(self, boot: str, until_s: float) -> None:
        """The held job may be acted on until then; `until_s` 0 ends it now."""
        self._change("UPDATE fleet_held SET boot = ?, until_s = ?", (boot, until_s))

    def let_go(self) -> None:
        """Nothing is held any more."""
        self._change("DELETE FROM fleet_held", ())

    # --- what was submitted here ------------------------------------------------------------------------------------

    def sent(self, state: str) -> list[Sent]:
        """Submissions in a state: `new`, `sent` or `home`; oldest first."""
        rows = self._db.execute("SELECT * FROM fleet_sent WHERE state = ? ORDER BY number", (state,))
        return [_sent(row) for row in rows]

    def by_job(self, job: str) -> Sent | None:
        """The submission that has this name in the fleet."""
        row = self._db.execute("SELECT * FROM fleet_sent WHERE job = ?", (job,)).fetchone()
        return None if row is None else _sent(row)

    def specify(self, number: int, spec: bytes) -> None:
        """What the fleet is asked for."""
        self._change("UPDATE fleet_sent SET spec = ? WHERE number = ?", (spec, number))

    def name(self, number: int, job: str, sealed: bytes) -> None:
        """Under which name it is sent."""
        self._change("UPDATE fleet_sent SET job = ?, sealed = ? WHERE number = ?", (job, sealed, number))

    def advance(self, number: int, state: str) -> None:
        """It was sent, or is home."""
        self._change("UPDATE fleet_sent SET state = ? WHERE number = ?", (state, number))

    # --- complaints ---------------------------------------------------------------------------------------------------

    def complain(self, at: float, who: str, text: str) -> None:
        """Keep a complaint, the newest few hundred of them; one that was the last before this isn't kept again."""
        last = self._db.execute("SELECT who, text FROM fleet_complaint ORDER BY number DESC LIMIT 1").fetchone()
        if last is not None and (last["who"], last["text"]) == (who, text):
            return
        with database.transaction(self._db) as db:
            added = db.execute("INSERT INTO fleet_complaint (at, who, text) VALUES (?, ?, ?)", (at, who, text))
            db.execute("DELETE FROM fleet_complaint WHERE number <= ?", ((added.lastrowid or 0) - _COMPLAINTS_KEPT,))

    def complaints(self, limit: int = 20) -> list[Complaint]:
        """The newest first."""
        rows = self._db.execute("SELECT * FROM fleet_complaint ORDER BY number DESC LIMIT ?", (limit,))
        return [Complaint(row["at"], row["who"], row["text"]) for row in rows]

    def _change(self, statement: str, values: tuple[object, ...]) -> None:
        with database.transaction(self._db) as db:
            db.execute(statement, values)


def _sent(row: sqlite3.Row) -> Sent:
    return Sent(row["number"], row["local_id"], row["wish"], row["spec"], row["job"], row["sealed"])
