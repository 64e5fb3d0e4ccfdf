"""How is everything that can't be made again put into one file, while the appliance runs?

The database comes first, as SQLite copies it: one moment, whoever writes meanwhile. Then, for each job that it knows, the
files that no longer change: everything of a job that has ended; of one that has not, its upload and what was before the
present attempt. Caches, images, logs, and the fleet's keys stay out.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import sqlite3
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import IO, Final

import msgspec

from appliance import config as configuration
from appliance import durable, ulid
from appliance.care import manifest
from appliance.care.manifest import Entry, Manifest
from appliance.database import BUSY_TIMEOUT_S
from appliance.errors import ConfigError, RaasError
from appliance.jobs import State
from appliance.paths import Paths

_CHUNK_BYTES: Final = 2**20
#: Called with the name of each file that is taken.
Progress = Callable[[str], None]


class BackupFailed(RaasError):
    """The backup couldn't be written; there is no half one."""


@dataclass(frozen=True)
class Source:
    """An appliance as files. now_s: the wall clock."""

    paths: Paths
    config_file: Path
    now_s: float


def write(source: Source, target: Path, progress: Progress = lambda _name: None) -> Manifest:
    """Write a backup to `target`, whole or not at all, readable by its owner alone. Raises BackupFailed."""
    if not source.paths.database.exists():
        raise BackupFailed(
            f"There is no appliance in {source.paths.data}. Name its data folder: `raas --data DATA backup`."
        )
    partial = target.with_name(target.name + durable.PARTIAL)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".raas-backup-", dir=target.parent) as folder:
            jobs, schema = _copy_database(source.paths.database, copied := Path(folder) / "raas.db")
            handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
            with open(handle, "wb") as file, tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
                archive = _Archive(tar, progress)
                archive.add(manifest.DATABASE, copied)
                robot_file, name = _add_settings(archive, source)
                for member, path in _files_of_jobs(source.paths, jobs):
                    archive.add(member, path)
                made = Manifest(
                    format=manifest.FORMAT, at=source.now_s, software=version("raas-appliance"), name=name,
                    database=schema, jobs=len(jobs), robot_file=robot_file, files=archive.entries,
                )  # fmt: skip
                archive.close(made)
        durable.sync_file(partial)
        partial.rename(target)
        durable.sync_file(target.parent)
    except (OSError, sqlite3.Error) as error:
        partial.unlink(missing_ok=True)
        raise BackupFailed(f"The backup couldn't be written: {error}. Nothing was left behind.") from error
    return made


def _copy_database(path: Path, to: Path) -> tuple[dict[str, tuple[State, int]], int]:
    """A copy of one moment in one file; returns state and attempt of its jobs, and its schema."""
    origin = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S)
    copied = sqlite3.connect(to)
    try:
        origin.backup(copied)  # in one step: under WAL that holds up no writer
        copied.execute("PRAGMA journal_mode = DELETE")
        rows = copied.execute("SELECT id, state, attempt FROM job").fetchall()
        schema = copied.execute("PRAGMA user_version").fetchone()[0]
    finally:
        copied.close()
        origin.close()
    return {row[0]: (State(row[1]), int(row[2])) for row in rows if ulid.is_valid(row[0])}, int(schema)


def _add_settings(archive: _Archive, source: Source) -> tuple[str, str]:
    """Configuration, calibration, what the page has set, owner, latched stop; returns robot.file and the robot's name."""
    paths = source.paths
    archive.add(manifest.CONFIG, source.config_file)
    for member in (
        "settings/page.json",
        "settings/robot.json",
        "identity/owner.json",
        "identity/setup-code",
        "estop/latched",
        "estop/retired",
    ):
        archive.add(member, paths.data / member)
    try:
        config = configuration.load(source.config_file)
    except ConfigError:  # also a broken one is kept: it may be what its owner wants to mend
        return "", ""
    if config.robot.file:
        archive.add(manifest.ROBOT, Path(config.robot.file))
    return config.robot.file, config.name


def _files_of_jobs(paths: Paths, jobs: dict[str, tuple[State, int]]) -> Iterator[tuple[str, Path]]:
    for job_id, (state, attempt) in sorted(jobs.items()):
        root, left_out = paths.job(job_id), set[str]()
        if not state.is_final:
            left_out = {"source", f"attempt-{attempt}", f"attempt-{attempt}.json"}
            yield f"inbox/{job_id}", paths.upload(job_id)
        for folder, folders, files in os.walk(root):
            skipped = left_out if folder == str(root) else set()
            folders[:] = sorted(set(folders) - skipped)
            for name in sorted(set(files) - skipped):
                member = f"jobs/{job_id}/{Path(folder, name).relative_to(root).as_posix()}"
                if not name.endswith(durable.PARTIAL) and manifest.is_allowed(member):
                    yield member, Path(folder, name)


@dataclass
class _Archive:
    """A tar file in the making, and the list of what is in it."""

    tar: tarfile.TarFile
    progress: Progress
    entries: dict[str, Entry] = field(default_factory=dict)

    def add(self, name: str, path: Path) -> None:
        """Take a regular file; nothing where there is none (any more), and nothing that a link points at."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), _regular(path) as opened:
            if opened is None:
                return
            file, status = opened
            header = tarfile.TarInfo(name)
            header.size, header.mtime = status.st_size, int(status.st_mtime)
            header.mode = 0o755 if status.st_mode & 0o100 else 0o644
            reader = _Hashed(file, status.st_size)
            self.tar.addfile(header, reader)  # type: ignore[arg-type] # it asks for read() only
            self.entries[name] = Entry(status.st_size, reader.digest.hexdigest())
            self.progress(name)

    def close(self, made: Manifest) -> None:
        """Write the list of contents, the last member."""
        content = msgspec.json.format(msgspec.json.encode(made))
        header = tarfile.TarInfo(manifest.NAME)
        header.size, header.mode = len(content), 0o644
        self.tar.addfile(header, io.BytesIO(content))


@contextlib.contextmanager
def _regular(path: Path) -> Iterator[tuple[IO[bytes], os.stat_result] | None]:
    """The file, opened without following a link; None where it is something else."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if isinstance(error, FileNotFoundError | NotADirectoryError) or not path.is_symlink():
            raise
        yield None
        return
    with open(handle, "rb") as file:
        status = os.fstat(handle)
        yield (file, status) if stat.S_ISREG(status.st_mode) else None


class _Hashed:
    """A file's first `size` bytes, hashed on the way; zeros where it has become shorter, which its checksum then says."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """The next bytes."""
        piece = self._file.read(min(size, self._left, _CHUNK_BYTES))
        if not piece and self._left:
            piece = b"\0" * min(size, self._left, _CHUNK_BYTES)
        self._left -= len(piece)
        self.digest.update(piece)
        return piece
