"""How are the database, the services and the files' rights? Reads only; a damaged database is told, not mended."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from appliance import facts, units
from appliance.care.snapshot import Camera, Database, Proof, Right, Service
from appliance.database import BUSY_TIMEOUT_S, migrations
from appliance.paths import Paths
from appliance.running import proof as limits
from appliance.units import UnitError

_OTHERS: Final = 0o007
_OTHERS_WRITE: Final = 0o002
_GROUP_AND_OTHERS: Final = 0o077
SETTINGS: Final = Path("/etc/raas")


_RESIDUALS: Final = (
    "SELECT residual FROM job WHERE residual IS NOT NULL AND place <> 'away' ORDER BY ended_at DESC LIMIT 60"
)


def database(path: Path) -> tuple[Database, float]:
    """The database, checked page by page, and the latest moment that it knows (0: none)."""
    newest_schema = max(step.number for step in migrations())
    if not path.exists() or path.stat().st_size == 0:
        return Database(str(path), newest_schema=newest_schema), 0.0
    try:
        db = _opened(path)
    except sqlite3.Error as error:
        return Database(str(path), newest_schema=newest_schema, problem=f"{path} can't be opened: {error}"), 0.0
    try:
        found = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        schema = int(db.execute("PRAGMA user_version").fetchone()[0])
        jobs, newest_s = db.execute("SELECT count(*), max(submitted_at) FROM job").fetchone()
        errors = db.execute(_RESIDUALS).fetchall()
    except sqlite3.Error as error:
        return Database(str(path), newest_schema=newest_schema, problem=f"{path} can't be read: {error}"), 0.0
    finally:
        db.close()
    problem = "" if found == "ok" else f"{path} is damaged: {found}"
    residuals = tuple(float(error) for (error,) in errors)
    return Database(str(path), schema, newest_schema, problem, int(jobs), residuals), float(newest_s or 0.0)


def rights(paths: Paths, config_file: Path, docker_socket: Path | None) -> tuple[Right, ...]:
    """Places whose mode matters, as far as they exist and may be looked at."""
    credentials = SETTINGS / "credentials"
    wanted = [
        (paths.identity, _OTHERS, "the owner's password could be read by everybody"),
        (paths.identity / "owner.json", _OTHERS, "the owner's password could be read by everybody"),
        (paths.database, _OTHERS_WRITE, "everybody could change the jobs"),
        (config_file, _OTHERS_WRITE, "everybody could change mounts and limits"),
        (credentials, _GROUP_AND_OTHERS, "the fleet's keys could be read by others than root"),
    ]
    if docker_socket is not None:
        wanted.append((docker_socket, _OTHERS, "everybody on this machine could become root"))
    return tuple(Right(str(path), mode, bits, why) for path, bits, why in wanted for mode in _mode(path))


def _mode(path: Path) -> Iterator[int]:
    try:
        yield path.stat().st_mode
    except OSError:
        return


def proof(paths: Paths) -> Proof | None:
    """What the runner found when it last tried the cell's limits."""
    found = limits.remembered(paths)
    if found is None:
        return None
    day = datetime.fromtimestamp(limits.file(paths).stat().st_mtime, UTC).strftime("%Y-%m-%d")
    held = tuple(one.limit.replace("_", " ") for one in found.findings if one.held)
    return Proof(day, held, found.sentence())


def camera(paths: Paths) -> Camera:
    """How old the camera's newest picture is, and why there is none."""
    try:
        age_s = max(0.0, time.time() - paths.camera_picture.stat().st_mtime)
    except OSError:
        age_s = None
    try:
        with contextlib.closing(_opened(paths.database)) as db:
            found = db.execute("SELECT value FROM fact WHERE key = ?", (facts.CAMERA,)).fetchone()
    except sqlite3.Error:
        found = None
    return Camera(age_s, str(found[0]) if found else "")


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)


def services() -> tuple[Service, ...]:
    """Our units, where systemd has them; nothing elsewhere."""
    found = []
    for name, unit in units.UNITS.items():
        try:
            state = units.state(name)
        except UnitError:
            return ()
        found.append(Service(unit, state.active))
    return tuple(found) if any(service.active not in ("", "inactive") for service in found) else ()
