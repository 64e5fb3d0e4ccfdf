"""Where do errands wait, and their answers? One table of the database: the page asks and reads, the runner works.

The runner treats a row as hostile: whoever performs an errand judges its subject anew.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from appliance import database
from appliance.errors import RaasError

LOOK: Final = "look"
DRAW: Final = "draw"
#: Answers older than this are of no use to anybody.
_FORGOTTEN_S: Final = 24 * 3600.0


class Busy(RaasError):
    """Too many errands of this kind wait already."""


@dataclass(frozen=True)
class Errand:
    """One row; see migrations/0004_errands.sql."""

    id: int
    kind: str
    subject: str
    asked_at: float
    begun_at: float | None
    done_at: float | None
    answer: str


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an errand `draw`: whether there is a GIF now, and if not, why."""

    ok: bool
    sentence: str = ""


class Book:
    """The table. One instance per thread, as SQLite wants it."""

    def __init__(self, path: Path) -> None:
        self._db = database.connect(path)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def ask(self, kind: str, subject: str, now_s: float, fresh_s: float, most: int) -> Errand:
        """Want something done, unless that is under way or has an answer younger than `fresh_s`. Raises Busy."""
        with database.transaction(self._db) as db:
            known = self.find(kind, subject)
            if known is not None and (known.done_at is None or 0.0 <= now_s - known.done_at < fresh_s):
                return known
            query = "SELECT count(*) FROM errand WHERE kind = ? AND done_at IS NULL"
            if int(db.execute(query, (kind,)).fetchone()[0]) >= most:
                raise Busy(f"{most} others wait for the same already. Try again in a while.")
            db.execute("DELETE FROM errand WHERE kind = ? AND subject = ?", (kind, subject))
            db.execute("DELETE FROM errand WHERE done_at < ?", (now_s - _FORGOTTEN_S,))
            db.execute("INSERT INTO errand (kind, subject, asked_at) VALUES (?, ?, ?)", (kind, subject, now_s))
        found = self.find(kind, subject)
        assert found is not None
        return found

    def find(self, kind: str, subject: str) -> Errand | None:
        """The newest errand about this, done or not."""
        row = self._db.execute("SELECT * FROM errand WHERE kind = ? AND subject = ?", (kind, subject)).fetchone()
        return None if row is None else _errand(row)

    def ahead(self, errand: Errand) -> int:
        """How many of its kind are to be done before it."""
        query = "SELECT count(*) FROM errand WHERE kind = ? AND done_at IS NULL AND id < ?"
        return int(self._db.execute(query, (errand.kind, errand.id)).fetchone()[0])

    # --- the runner's side ----------------------------------------------------------------------------------

    def claim(self, kind: str, now_s: float, patience_s: float = float("inf")) -> Errand | None:
        """Begin the first that waits; two claimers never get the same one. Those asked longer ago are dropped."""
        if self._first(kind) is None:  # the usual case, without a lock
            return None
        with database.transaction(self._db) as db:
            if patience_s < float("inf"):
                query = "DELETE FROM errand WHERE kind = ? AND begun_at IS NULL AND asked_at < ?"
                db.execute(query, (kind, now_s - patience_s))
            found = self._first(kind)
            if found is not None:
                db.execute("UPDATE errand SET begun_at = ? WHERE id = ?", (now_s, found.id))
        return found

    def answer(self, errand: Errand, answer: str, now_s: float) -> None:
        """It is done."""
        with database.transaction(self._db) as db:
            db.execute("UPDATE errand SET answer = ?, done_at = ? WHERE id = ?", (answer, now_s, errand.id))

    def put_back(self, errand: Errand) -> None:
        """It must wait again."""
        with database.transaction(self._db) as db:
            db.execute("UPDATE errand SET begun_at = NULL WHERE id = ? AND done_at IS NULL", (errand.id,))

    def forget(self, kind: str, subject: str) -> None:
        """Its answer no longer holds."""
        with database.transaction(self._db) as db:
            db.execute("DELETE FROM errand WHERE kind = ? AND subject = ? AND done_at IS NOT NULL", (kind, subject))

    def begin_anew(self) -> None:
        """What an earlier runner had begun waits again."""
        with database.transaction(self._db) as db:
            db.execute("UPDATE errand SET begun_at = NULL WHERE begun_at IS NOT NULL AND done_at IS NULL")

    def _first(self, kind: str) -> Errand | None:
        query = "SELECT * FROM errand WHERE kind = ? AND begun_at IS NULL AND done_at IS NULL ORDER BY id LIMIT 1"
        row = self._db.execute(query, (kind,)).fetchone()
        return None if row is None else _errand(row)


def _errand(row: sqlite3.Row) -> Errand:
    return Errand(**dict(row))
