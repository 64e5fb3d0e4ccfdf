"""Who is told of a job's end, and how does that go? Webhooks and their deliveries, in the database; the rules are pure.

A delivery is tried again after 10 s, 1 min, 5 min, 30 min and 2 h, with the same id, and then given up.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from appliance import database
from appliance.config import HooksSection
from appliance.errors import BadSource, Conflict, NotFound

ENDED: Final = "job.ended"
TEST: Final = "test"
MOST_HOOKS: Final = 10
#: How long after each try in vain the next one comes, s.
PAUSES_S: Final = (10.0, 60.0, 300.0, 1800.0, 7200.0)
#: Deliveries that are kept for the owner to look at.
KEPT: Final = 200
_VISIBLE: Final = re.compile(r"[!-~]{1,1000}")
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]+")
_SECRET: Final = re.compile(r"[ -~]{16,200}")
_EXAMPLE: Final = "Give one like https://example.org/hooks/robot."


@dataclass(frozen=True)
class Target:
    """A webhook's URL, taken apart. path: with the query."""

    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True)
class Hook:
    """One webhook. The secret signs, and is told to nobody but who made it."""

    id: str
    url: str
    secret: str
    made_at: float


@dataclass(frozen=True)
class Delivery:
    """One row; see migrations/0008_hooks.sql."""

    number: int
    id: str
    hook_id: str
    event: str
    job_id: str
    made_at: float
    tries: int
    next_at: float | None
    tried_at: float | None
    status: int | None
    said: str

    @property
    def is_delivered(self) -> bool:
        """Whether it was taken."""
        return self.next_at is None and self.status is not None and 200 <= self.status < 300


def target(url: str, rules: HooksSection) -> Target:
    """Take a webhook's URL apart. Raises BadSource with what is wrong; where its name leads to is judged at each try."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise BadSource(f"This is not a URL ({error}). {_EXAMPLE}") from error
    if not _VISIBLE.fullmatch(url) or "\\" in url or not _HOST.fullmatch(host) or port == 0:
        raise BadSource(f"The webhook's URL is empty, too long, or has odd characters in it. {_EXAMPLE}")
    if parts.scheme != "https" and not (parts.scheme == "http" and rules.allow_http):
        raise BadSource("Webhooks go over https. Plain http needs hooks.allow_http in raas.yaml.")
    if "@" in parts.netloc or parts.fragment:
        raise BadSource("The webhook's URL holds a password or a “#”. Leave it out; what is sent is signed.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port or {"https": 443, "http": 80}[parts.scheme], path)


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """What the header X-Raas-Signature says: HMAC-SHA-256 over the timestamp, a dot, and the body.

    >>> signature("a secret of the owner's", "1", b"{}")[:23]
    'sha256=06c2d7ab90c8e6a9'
    """
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def next_try(tries: int, status: int | None, now_s: float) -> float | None:
    """When a delivery comes again after so many tries, the last with this answer; None if it doesn't."""
    if (status is not None and 200 <= status < 300) or status == 410 or tries > len(PAUSES_S):
        return None
    return now_s + PAUSES_S[tries - 1]


class HookBook:
    """The two tables. One instance per thread."""

    def __init__(self, path: Path) -> None:
        self._db = database.connect(path)

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def all(self) -> list[Hook]:
        """The webhooks, the oldest first."""
        return [Hook(**dict(row)) for row in self._db.execute("SELECT * FROM hook ORDER BY made_at, id")]

    def get(self, hook_id: str) -> Hook:
        """One webhook. Raises NotFound."""
        row = self._db.execute("SELECT * FROM hook WHERE id = ?", (hook_id,)).fetchone()
        if row is None:
            raise NotFound("There is no such webhook.")
        return Hook(**dict(row))

    def add(self, url: str, secret: str, now_s: float) -> Hook:
        """Tell this URL from now on; without a secret one is made. Raises Conflict, BadSource."""
        if secret and not _SECRET.fullmatch(secret):
            raise BadSource("A secret has 16 to 200 printable ASCII characters. Leave it empty, and one is made.")
        made = Hook(secrets.token_hex(8), url, secret or secrets.token_hex(32), now_s)
        with database.transaction(self._db) as db:
            if len(self.all()) >= MOST_HOOKS:
                raise Conflict(f"There are {MOST_HOOKS} webhooks already. Remove one first.")
            db.execute("INSERT INTO hook VALUES (?, ?, ?, ?)", (made.id, made.url, made.secret, made.made_at))
        return made

    def remove(self, hook_id: str) -> None:
        """Tell it no longer; what waited for it is dropped. Raises NotFound."""
        self.get(hook_id)
        with database.transaction(self._db) as db:
            db.execute("DELETE FROM hook WHERE id = ?", (hook_id,))

    def test(self, hook_id: str, now_s: float) -> None:
        """Send it something harmless, soon. Raises NotFound."""
        self.get(hook_id)
        with database.transaction(self._db) as db:
            query = "INSERT INTO hook_delivery (id, hook_id, event, made_at, next_at) VALUES (?, ?, ?, ?, 0.0)"
            db.execute(query, (secrets.token_hex(16), hook_id, TEST, now_s))

    def deliveries(self, limit: int) -> list[Delivery]:
        """The newest first."""
        rows = self._db.execute("SELECT * FROM hook_delivery ORDER BY number DESC LIMIT ?", (limit,))
        return [_delivery(row) for row in rows]

    def due(self, now_s: float) -> Delivery | None:
        """What is to be tried now."""
        query = "SELECT * FROM hook_delivery WHERE next_at <= ? ORDER BY next_at, number LIMIT 1"
        row = self._db.execute(query, (now_s,)).fetchone()
        return None if row is None else _delivery(row)

    def record(self, delivery: Delivery, status: int | None, said: str, now_s: float) -> None:
        """What came of a try."""
        tries = delivery.tries + 1
        again = None if delivery.event == TEST else next_try(tries, status, now_s)
        with database.transaction(self._db) as db:
            db.execute(
                "UPDATE hook_delivery SET tries = ?, next_at = ?, tried_at = ?, status = ?, said = ? WHERE number = ?",
                (tries, again, now_s, status, said, delivery.number),
            )
            db.execute("DELETE FROM hook_delivery WHERE next_at IS NULL AND number <= ?", (delivery.number - KEPT,))


def _delivery(row: sqlite3.Row) -> Delivery:
    return Delivery(**dict(row))
