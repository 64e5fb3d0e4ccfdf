"""What takes how much of the disk, and what goes next? Walks the data folder once; reads names and sizes only."""

from __future__ import annotations

import heapq
import os
import shutil
import sqlite3
from contextlib import closing
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from appliance import ulid
from appliance.camera.recorder import PATTERN as RECORDINGS
from appliance.care.disk_use import DiskUse, JobUse, Share
from appliance.config import StorageSection
from appliance.errors import RaasError
from appliance.paths import Paths
from appliance.running import retention
from appliance.store import Store

_MOST_JOBS: Final = 10
_KINDS: Final = {
    "db": "Database",
    "inbox": "Uploads of jobs that wait",
    "logs": "Logs",
    "images": "Lists of the job images",
    "identity": "Owner and tokens",
    "engine": "Docker Engine's folder",
    "layers": "Cached packages of jobs",
}


def look(paths: Paths, storage: StorageSection) -> DiskUse:
    """The whole picture, by the rules that hold."""
    sizes: dict[str, int] = {}
    for entry in _children(paths.data):
        name = _KINDS.get(
            entry.name, "Put aside by a restore" if entry.name.startswith("before-restore-") else "Other files"
        )
        if entry.name != "jobs":
            sizes[name] = sizes.get(name, 0) + _size(entry)
    jobs = {entry.name: _job(entry) for entry in _children(paths.data / "jobs") if ulid.is_valid(entry.name)}
    recordings = sum(_recordings(entry) for entry in _children(paths.data / "jobs"))
    sizes["Recordings of the camera"] = recordings
    sizes["Results of jobs"] = sum(whole - source for whole, source in jobs.values()) - recordings
    sizes["Sources of jobs"] = sum(source for _, source in jobs.values())
    usage = shutil.disk_usage(paths.data)
    largest = heapq.nlargest(_MOST_JOBS, jobs.items(), key=lambda item: item[1][0])
    shares = sorted((Share(name, size) for name, size in sizes.items() if size), key=lambda share: -share.bytes)
    return DiskUse(
        total_bytes=usage.total, free_bytes=usage.free, least_free_bytes=storage.min_free_mb << 20,
        other_bytes=max(0, usage.used - sum(sizes.values())), shares=tuple(shares),
        largest_jobs=tuple(JobUse(name, whole) for name, (whole, _) in largest), jobs=len(jobs),
        used_percent=retention.used_percent(paths.data), clear_above_percent=storage.clear_above_percent,
        keep_newest=storage.keep_newest, next_jobs=_next(paths, storage, {name: whole for name, (whole, _) in jobs.items()}),
    )  # fmt: skip


def _next(paths: Paths, storage: StorageSection, sizes: dict[str, int]) -> tuple[JobUse, ...]:
    """Whose results make room first; nothing where no database tells."""
    if not paths.database.exists():
        return ()
    try:
        with closing(Store(paths.database)) as store:
            jobs = store.clearable(storage.keep_newest, _MOST_JOBS)
    except (sqlite3.Error, RaasError):
        return ()
    return tuple(JobUse(job.id, sizes.get(job.id, 0)) for job in jobs)


def _job(entry: os.DirEntry[str]) -> tuple[int, int]:
    """What a job takes in all, and its source alone."""
    return _size(entry), sum(_size(child) for child in _children(Path(entry.path)) if child.name == "source")


def _recordings(job: os.DirEntry[str]) -> int:
    return sum(_size(entry) for entry in _children(Path(job.path)) if fnmatch(entry.name, RECORDINGS))


def _size(entry: os.DirEntry[str]) -> int:
    """Blocks on the disk, of a file or of everything below a folder; follows no link."""
    try:
        if not entry.is_dir(follow_symlinks=False):
            return entry.stat(follow_symlinks=False).st_blocks * 512
    except OSError:  # gone meanwhile
        return 0
    return sum(_size(child) for child in _children(Path(entry.path)))


def _children(folder: Path) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing where it may not be read or isn't there."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
