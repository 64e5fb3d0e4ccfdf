"""Does nobody use this data folder, and will nobody meanwhile? Takes the locks that every process of an appliance needs."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from appliance.errors import InUse
from appliance.paths import Paths

_STOP = "Stop it first: Ctrl-C where `raas up` runs, or `systemctl stop raas.target`."


@contextlib.contextmanager
def held(paths: Paths) -> Iterator[None]:
    """Hold the data folder; raises InUse where any process of its appliance still runs."""
    locks = [paths.lock, *(lock for name in ("guard.lock", "runner.lock") if (lock := paths.runtime / name).exists())]
    with contextlib.ExitStack() as stack:
        for lock in locks:
            stack.enter_context(_locked(lock, paths.data))
        _check_database(paths)
        yield


@contextlib.contextmanager
def _locked(path: Path, data: Path) -> Iterator[None]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InUse(f"An appliance runs on {data}. {_STOP}") from error
        yield
    finally:
        os.close(handle)


def _check_database(paths: Paths) -> None:
    """Page and fleet hold no lock but an open database: only one that nobody else has open leaves WAL."""
    if not paths.database.exists():
        return
    db = sqlite3.connect(paths.database, timeout=0.0, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise InUse(f"A process has the database of {paths.data} open. {_STOP}") from error
    except sqlite3.DatabaseError:
        pass  # a damaged one is a reason to restore another
    finally:
        db.close()
