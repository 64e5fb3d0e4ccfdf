"""How does a repository become an archive that every robot of a fleet can run? Fetched as any other, packed always alike.

Equal trees give equal bytes: names in order, no times, no owners. So an archive's name, its hash, says what is in it.
"""

from __future__ import annotations

import gzip
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

from appliance import durable
from appliance.config import Config
from appliance.errors import BadSource
from appliance.intake import tree
from appliance.intake.fetch import fetch
from appliance.paths import Paths
from appliance.store import Job


def pack(job: Job, paths: Paths, config: Config, cancelled: Callable[[], bool]) -> str:
    """Fetch a job's repository and put it as an archive where uploads are; returns the commit.

    Raises BadSource (a message for the submitter), Cancelled, IsolationError, or OSError of the data folder's disk.
    """
    folder, archive = paths.job(job.id) / "source.part", paths.upload(job.id)
    partial = archive.with_name(archive.name + durable.PARTIAL)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with fetch(job.source, job.ref, config, cancelled) as source:
            tree.copy(source.tree, folder, tree.Budget(config.fetch.max_mb << 20, config.fetch.max_files), cancelled)
            write(folder, partial)
            if partial.stat().st_size > config.fetch.max_upload_mb << 20:
                raise BadSource(
                    f"The repository is larger than {config.fetch.max_upload_mb} MiB packed, and no robot of the fleet "
                    "takes more. Take data out of it."
                )
            durable.sync_file(partial)
            partial.rename(archive)
            durable.sync_file(archive.parent)
            return source.commit
    finally:
        partial.unlink(missing_ok=True)
        shutil.rmtree(folder.parent, ignore_errors=True)  # nothing of it runs here


def write(folder: Path, archive: Path) -> None:
    """A folder of plain files as tar.gz; the same bytes for the same files."""
    with (
        archive.open("wb") as file,
        gzip.GzipFile("", "wb", mtime=0, fileobj=file) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(folder.rglob("*")):
            tar.add(path, str(path.relative_to(folder)), recursive=False, filter=_anonymous)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
    return entry
