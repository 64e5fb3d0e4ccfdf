"""How is the SQLite file opened, changed and brought up to date? Connections, transactions, numbered migrations.

`migrations/NNNN_name.sql` are applied in order, each file once and never edited afterwards; `PRAGMA user_version` is
the number of the last one. WAL lets readers and one writer work side by side; every write is `BEGIN IMMEDIATE`, so
that two processes queue for the lock instead of failing half-way.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from appliance.errors import RaasError

BUSY_TIMEOUT_S: Final = 10.0


class DatabaseError(RaasError):
    """The database can't be used; the message says what to do."""


@dataclass(frozen=True)
class Migration:
    """One numbered step from an older schema to a newer one."""

    number: int
    name: str
    script: str


def migrations() -> list[Migration]:
    """All steps that this version knows, in order."""
    folder = resources.files("appliance").joinpath("migrations")
    found = [entry for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return sorted(
        (Migration(int(entry.name[:4]), entry.name, entry.read_text()) for entry in found),
        key=lambda migration: migration.number,
    )


def connect(path: Path, steps: list[Migration] | None = None) -> sqlite3.Connection:
    """Open the database, making it or bringing it up to date first. Raises DatabaseError.

    `steps` stand for the packaged migrations. The connection is for the thread that opened it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        _make(path)
        db = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None)
        db.row_factory = sqlite3.Row
        # Only one process can switch a new file to WAL, and SQLite doesn't wait for it: take the lock that it waits for.
        if db.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            _switch_to_wal(db)
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA foreign_keys = ON")
        _migrate(db, migrations() if steps is None else steps)
    except (OSError, sqlite3.DatabaseError) as error:
        raise DatabaseError(f"The database {path} can't be used: {error}. Restore it, or move it away.") from error
    return db


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Everything in the block happens, durably, or nothing does."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def version(db: sqlite3.Connection) -> int:
    """Number of the last migration that was applied."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _make(path: Path) -> None:
    """Make an empty file that a whole group may write, as the umask permits; SQLite itself would make it 0644.

    Its files beside it get the mode of this one. It is never opened here: to close it would drop SQLite's own locks.
    """
    with contextlib.suppress(FileExistsError):
        os.mknod(path, stat.S_IFREG | 0o660)


def _switch_to_wal(db: sqlite3.Connection) -> None:
    for attempt in range(100):
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if attempt == 99:
                raise
            # Waits (up to the busy timeout) until the other process is through.
            with transaction(db):
                pass
        else:
            return


def _migrate(db: sqlite3.Connection, steps: list[Migration]) -> None:
    newest = max((step.number for step in steps), default=0)
    if version(db) == newest:
        return
    with transaction(db):
        done = version(db)
        if done > newest:
            raise DatabaseError(
                f"The database was made by a newer version (schema {done}, this one knows {newest}). Update the software."
            )
        for step in steps:
            if step.number > done:
                for statement in _statements(step.script):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {step.number}")


def _statements(script: str) -> Iterator[str]:
    """The statements of a migration, one by one: executescript() would commit the surrounding transaction."""
    statement = ""
    for piece in re.split("(?<=;)", script):
        statement += piece
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
