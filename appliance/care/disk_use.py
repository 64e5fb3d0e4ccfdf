"""What takes how much of the disk? Sums by kind, and the jobs that take most; reads names and sizes only."""

from __future__ import annotations

import heapq
import os
import shutil
from pathlib import Path
from typing import Final

import msgspec

from appliance import ulid
from appliance.paths import Paths

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


class Share(msgspec.Struct, frozen=True):
    """One kind of content and what it takes."""

    name: str
    bytes: int


class JobUse(msgspec.Struct, frozen=True):
    """One job and what it takes."""

    id: str
    bytes: int


class DiskUse(msgspec.Struct, frozen=True, kw_only=True):
    """The whole picture. other_bytes: everything on the same disk that isn't the appliance's data."""

    total_bytes: int
    free_bytes: int
    least_free_bytes: int
    other_bytes: int
    shares: tuple[Share, ...]
    largest_jobs: tuple[JobUse, ...]
    jobs: int

    @property
    def data_bytes(self) -> int:
        """What the appliance's own data take."""
        return sum(share.bytes for share in self.shares)


def look(paths: Paths, least_free_mb: int) -> DiskUse:
    """Walk the data folder once."""
    sizes: dict[str, int] = {}
    for entry in _children(paths.data):
        name = _KINDS.get(
            entry.name, "Put aside by a restore" if entry.name.startswith("before-restore-") else "Other files"
        )
        if entry.name != "jobs":
            sizes[name] = sizes.get(name, 0) + _size(entry)
    jobs = {entry.name: _job(entry) for entry in _children(paths.data / "jobs") if ulid.is_valid(entry.name)}
    sizes["Results of jobs"] = sum(whole - source for whole, source in jobs.values())
    sizes["Sources of jobs"] = sum(source for _, source in jobs.values())
    usage = shutil.disk_usage(paths.data)
    largest = heapq.nlargest(_MOST_JOBS, jobs.items(), key=lambda item: item[1][0])
    shares = sorted((Share(name, size) for name, size in sizes.items() if size), key=lambda share: -share.bytes)
    return DiskUse(
        total_bytes=usage.total, free_bytes=usage.free, least_free_bytes=least_free_mb << 20,
        other_bytes=max(0, usage.used - sum(sizes.values())), shares=tuple(shares),
        largest_jobs=tuple(JobUse(name, whole) for name, (whole, _) in largest), jobs=len(jobs),
    )  # fmt: skip


def _job(entry: os.DirEntry[str]) -> tuple[int, int]:
    """What a job takes in all, and its source alone."""
    return _size(entry), sum(_size(child) for child in _children(Path(entry.path)) if child.name == "source")


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
