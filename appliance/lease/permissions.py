"""Who may drive over the network, and how much has each driven today? Rows of the appliance's database.

Only the public half of a person's key is kept. It opens the door; it makes nobody a driver elsewhere.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance import database
from appliance.errors import Conflict, NotFound

DAY_S: Final = 86_400.0
_MAX_PEOPLE: Final = 200


@dataclass(frozen=True)
class Permission:
    """The owner's: this person may, until `ends_at` (s since the epoch; None: no end). public_key: 32 bytes."""

    name: str
    public_key: bytes
    made_at: float
    ends_at: float | None

    def has_ended(self, now_s: float) -> bool:
        """Whether it is of no use any more."""
        return self.ends_at is not None and now_s >= self.ends_at


class Permissions:
    """The table of permissions. One instance per thread."""

    def __init__(self, path: Path) -> None:
        self._db = database.connect(path)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def all(self) -> list[Permission]:
        """All of them by name, those that have ended too, until somebody takes them back."""
        rows = self._db.execute("SELECT * FROM lease_permission ORDER BY name")
        return [_permission(row) for row in rows]

    def grant(self, name: str, public_key: bytes, now_s: float, lasts_s: float | None) -> None:
        """Let a person drive. Raises Conflict where one of this name may already, or there are too many."""
        with database.transaction(self._db) as db:
            people = self.all()
            if any(person.name == name for person in people) or len(people) >= _MAX_PEOPLE:
                raise Conflict(
                    f"{name} may drive already, or there are too many. Take it back first: raas lease revoke NAME"
                )
            ends_at = None if lasts_s is None else now_s + lasts_s
            db.execute("INSERT INTO lease_permission VALUES (?, ?, ?, ?)", (name, public_key, now_s, ends_at))

    def revoke(self, name: str) -> None:
        """Take it back; a lease that runs ends too. Raises NotFound."""
        with database.transaction(self._db) as db:
            if db.execute("DELETE FROM lease_permission WHERE name = ?", (name,)).rowcount == 0:
                raise NotFound(f"Nobody called {name} may drive over the network. `raas lease people` says who may.")

    def used_s(self, name: str, now_s: float) -> float:
        """How long this person's leases have had the robot within the last 24 hours, s."""
        since_s = now_s - DAY_S
        row = self._db.execute(
            "SELECT coalesce(sum(max(0.0, coalesce(ended_at, ?) - max(started_at, ?))), 0.0) AS used FROM job"
            " WHERE lease_s IS NOT NULL AND submitter = ? AND started_at IS NOT NULL AND coalesce(ended_at, ?) > ?",
            (now_s, since_s, name, now_s, since_s),
        ).fetchone()
        return float(row["used"])


def _permission(row: sqlite3.Row) -> Permission:
    return Permission(row["name"], row["public_key"], row["made_at"], row["ends_at"])
