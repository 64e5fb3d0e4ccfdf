"""How does a backup become an appliance again? Unpacked aside and checked to the last byte before anything is touched.

What was there is put into `DATA/before-restore-...`, not removed. Each file gets the owner of the folder that it comes
into, so that it belongs to the service that owns the place, on this machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import sqlite3
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from appliance import durable
from appliance.care import manifest, standstill
from appliance.care.manifest import BadBackup, Entry, Manifest
from appliance.database import migrations
from appliance.errors import Conflict, RaasError
from appliance.paths import Paths

_CHUNK_BYTES: Final = 2**20
_MANIFEST_BYTES: Final = 256 * 2**20
_SECRET: Final = ("identity",)


@dataclass(frozen=True)
class Restored:
    """What came back, where the former content is (None: there was none), and what is left to do by hand."""

    manifest: Manifest
    aside: Path | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Target:
    """Where it goes. replace: put aside what is there."""

    paths: Paths
    config_file: Path
    replace: bool = False


def restore(backup: Path, target: Target) -> Restored:
    """Put a backup in place. Raises BadBackup, InUse, Conflict; whatever it raises, the appliance is as it was before."""
    data = target.paths.data
    try:
        data.mkdir(parents=True, exist_ok=True)
        with standstill.held(target.paths), contextlib.ExitStack() as stack:
            _refuse_to_overwrite(target)
            staging = data / f"restoring-{os.getpid()}"
            stack.callback(shutil.rmtree, staging, ignore_errors=True)
            made = _unpack(backup, staging)
            _check_database(staging / manifest.DATABASE)
            _check_room_for_config(target)
            return _put_in_place(staging, target, made)
    except OSError as error:
        raise RaasError(f"The backup couldn't be restored: {error}.") from error


def _refuse_to_overwrite(target: Target) -> None:
    """An appliance with jobs isn't replaced by accident. One that never had a job is no loss."""
    path = target.paths.database
    if target.replace or not path.exists() or path.stat().st_size == 0:
        return
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            jobs = int(db.execute("SELECT count(*) FROM job").fetchone()[0])
    except sqlite3.Error:
        jobs = -1
    if jobs:
        what = f"{jobs} jobs" if jobs > 0 else "a database that can't be read"
        raise Conflict(f"{target.paths.data} holds {what}. `--replace` puts them aside, into a folder beside.")


def _unpack(backup: Path, staging: Path) -> Manifest:
    """All files of a backup below `staging`, compared with its list of contents. Raises BadBackup."""
    if not backup.is_file():
        raise BadBackup(f"There is no file {backup}.")
    need, free = backup.stat().st_size, shutil.disk_usage(staging.parent).free
    if need > free:
        raise BadBackup(f"{need >> 20} MiB are needed in {staging.parent}, {free >> 20} MiB are free. Make room first.")
    staging.mkdir(mode=0o700)
    found: dict[str, Entry] = {}
    made: Manifest | None = None
    try:
        with tarfile.open(backup, "r:") as tar:
            for member in tar:
                if made is not None:
                    raise BadBackup(f"{member.name[:80]!r} stands behind the end of the backup. Take another one.")
                content = _content(tar, member, found)
                if member.name == manifest.NAME:
                    made = manifest.parse(content.read(_MANIFEST_BYTES))
                else:
                    found[member.name] = _copy(content, staging / member.name, is_program=bool(member.mode & 0o100))
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise BadBackup(f"{backup} is no backup, or a damaged one ({error}). Take another one.") from error
    if made is None:
        raise BadBackup(f"{backup} ends too early: its list of contents is missing. Was it copied whole?")
    manifest.compare(made, found)
    return made


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo, found: dict[str, Entry]) -> IO[bytes]:
    """A member's bytes, if it is a regular file with a name that belongs here. Raises BadBackup."""
    is_listed = member.name == manifest.NAME or manifest.is_allowed(member.name)
    if not member.isreg() or member.issparse() or not is_listed or member.name in found:
        raise BadBackup(
            f"{member.name[:80]!r} doesn't belong into a backup. Somebody has changed it; take another one."
        )
    content = tar.extractfile(member)
    if content is None:
        raise BadBackup(f"{member.name} can't be read in the backup. Take another one.")
    return content


def _copy(content: IO[bytes], path: Path, *, is_program: bool) -> Entry:
    path.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        while piece := content.read(_CHUNK_BYTES):
            file.write(piece)
            digest.update(piece)
            size += len(piece)
        file.flush()
        os.fsync(file.fileno())
    path.chmod(0o750 if is_program else 0o640)
    return Entry(size, digest.hexdigest())


def _check_database(path: Path) -> None:
    """Raises BadBackup for a damaged database, or one of a newer version."""
    newest = max(step.number for step in migrations())
    try:
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
            state = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
            schema = int(db.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error as error:
        raise BadBackup(f"The backup's database can't be read ({error}). Take another backup.") from error
    if state != "ok":
        raise BadBackup(f"The backup's database is damaged ({state}). Take another backup.")
    if schema > newest:
        raise BadBackup(f"The backup is of a newer version (schema {schema}, this one knows {newest}). Update first.")


def _check_room_for_config(target: Target) -> None:
    """Whether the configuration's folder can be written, before anything else is moved."""
    folder = target.config_file.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise Conflict(
            f"{folder} can't be written, so raas.yaml can't be restored. Run as root, or name it by --config."
        )


def _put_in_place(staging: Path, target: Target, made: Manifest) -> Restored:
    data = target.paths.data
    aside = data / f"before-restore-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    aside.mkdir(mode=0o700)
    for name in manifest.FOLDERS:
        _move_children(data / name, aside / name)
    for name in manifest.FOLDERS:
        _bring_in(staging / name, data / name, is_secret=name in _SECRET)
    notes = _bring_settings(staging / "config", target, aside, made)
    if was_empty := not any(aside.iterdir()):
        aside.rmdir()
    durable.sync_file(data)
    return Restored(made, None if was_empty else aside, notes)


def _move_children(folder: Path, aside: Path) -> None:
    """Put the content of a folder aside; the folder itself stays, with its owner and rights."""
    children = [child for child in folder.iterdir() if not _is_nothing(child)] if folder.is_dir() else []
    if children:
        aside.mkdir()
    for child in children:
        child.rename(aside / child.name)


def _is_nothing(child: Path) -> bool:
    """An empty database that only holds the place, as tmpfiles.d makes it: its owner is to be kept."""
    return child.is_file() and child.stat().st_size == 0


def _bring_in(staged: Path, folder: Path, *, is_secret: bool) -> None:
    if not staged.is_dir():
        return
    folder.mkdir(mode=0o700 if is_secret else 0o750, parents=True, exist_ok=True)
    status = folder.stat()
    for place, folders, files in os.walk(staged):
        for name in folders:
            os.chown(Path(place, name), status.st_uid, status.st_gid)
            Path(place, name).chmod(0o750 | status.st_mode & 0o2000)
        for name in files:
            path = Path(place, name)
            os.chown(path, status.st_uid, status.st_gid)
            if is_secret:
                path.chmod(0o600)
            elif folder.name == "db":
                path.chmod(0o660)
    for child in staged.iterdir():
        child.rename(folder / child.name)
    durable.sync_file(folder)


def _bring_settings(staged: Path, target: Target, aside: Path, made: Manifest) -> tuple[str, ...]:
    """raas.yaml to its place; robot.yaml where raas.yaml names it, if that is beside it or in the data folder."""
    notes = []
    if (staged / "raas.yaml").exists():
        _write(staged / "raas.yaml", target.config_file, aside)
    if (staged / "robot.yaml").exists():
        place = Path(made.robot_file)
        known = (target.config_file.parent.resolve(), target.paths.data)
        is_beside = place.is_absolute() and place.parent.resolve() in known and place.name != target.config_file.name
        if not is_beside or not re.fullmatch(r"[\w.-]+\.ya?ml", place.name):
            place = target.config_file.parent / "robot.yaml"
            notes.append(
                f"The calibration came back as {place}. Name it in {target.config_file}: `robot: {{file: {place}}}`."
            )
        _write(staged / "robot.yaml", place, aside)
    return tuple(notes)


def _write(staged: Path, place: Path, aside: Path) -> None:
    if place.is_file():
        (aside / "config").mkdir(exist_ok=True)
        shutil.copy2(place, aside / "config" / place.name)
    durable.write(place, staged.read_bytes())
    status = place.parent.stat()
    os.chown(place, status.st_uid, status.st_gid)
    place.chmod(0o640)
