"""How does a submission become a job's source folder? Fetched or unpacked in a confined child, checked, copied, renamed.

Whatever fails, nothing stays behind. The folder appears in one step, complete; it belongs to the appliance, with
modes 0644 and 0755, run.py at its root, no link and no .git in it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.config import Config, FetchSection
from appliance.errors import BadSource
from appliance.intake import isolation, requirements, tree
from appliance.intake.fetch import Fetched, fetch
from appliance.intake.isolation import Child
from appliance.paths import Paths
from appliance.store import Job

#: The task that unpacks an archive.
UNPACKING: Final = "appliance.intake.archive"
_EXTRA_INODES: Final = 64


@dataclass(frozen=True)
class Prepared:
    """A source that is ready. `commit_id`: git's, or the archive's SHA-256. `notes`: sentences for the submitter."""

    commit_id: str
    files: int
    size_bytes: int
    notes: tuple[str, ...] = ()


#: Sees to it that the job finds what the requirements.txt at a path asks for; returns notes for the submitter.
Equip = Callable[[Path], tuple[str, ...]]


def no_child() -> Child | None:
    """For whoever keeps no child waiting."""
    return None


def prepare(
    job: Job,
    paths: Paths,
    config: Config,
    equip: Equip,
    cancelled: Callable[[], bool],
    child: Callable[[], Child | None] = no_child,
) -> Prepared:
    """Fill `paths.source(job.id)`. A job that had a commit before gets the same one again.

    `child` gives a child of UNPACKING that waits, or None. Raises what `equip` raises, and BadSource (a message for the submitter), Cancelled, IsolationError, or OSError of the data folder's disk.
    """
    target, part = paths.source(job.id), paths.job(job.id) / "source.part"
    for left_over in (target, part):
        if left_over.exists():
            shutil.rmtree(left_over)
    part.parent.mkdir(parents=True, exist_ok=True)
    budget = tree.Budget(config.fetch.max_mb << 20, config.fetch.max_files)
    if job.source_kind == "git":
        opened = _fetched(job, config, cancelled)
    else:
        opened = _unpacked(job, paths, config, cancelled, child)
    try:
        with opened as source:
            tree.copy(source.tree, part, budget, cancelled)
        notes = (*source.notes, *equip(part / requirements.NAME))
        part.rename(target)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        with contextlib.suppress(OSError):
            part.parent.rmdir()  # only if nothing else of the job is in it
        raise
    return Prepared(source.commit, budget.files, budget.bytes, notes)


def _fetched(job: Job, config: Config, cancelled: Callable[[], bool]) -> contextlib.AbstractContextManager[Fetched]:
    return fetch(job.source, job.commit_id or job.ref, config, cancelled)


@contextlib.contextmanager
def _unpacked(
    job: Job, paths: Paths, config: Config, cancelled: Callable[[], bool], child: Callable[[], Child | None]
) -> Iterator[Fetched]:
    settings = config.fetch
    order = {"max_bytes": settings.max_mb << 20, "max_files": settings.max_files}
    with contextlib.ExitStack() as stack:
        upload = stack.enter_context(_upload(paths.upload(job.id), settings.max_upload_mb))
        commit = hashlib.file_digest(upload, "sha256").hexdigest()
        upload.seek(0)
        room = isolation.Room(uid=settings.uid, limits=_limits(settings), stdin=upload.fileno())
        outcome = stack.enter_context(isolation.run(UNPACKING, order, room, cancelled, child=child()))
        if outcome.out_of or outcome.answer is None:
            raise BadSource(_failure(outcome, settings))
        folder = isolation.inside(outcome.scratch, "tree")
        stack.callback(os.close, folder)
        root = outcome.answer.get("root")
        if isinstance(root, str) and not tree.objection(root):
            folder = isolation.inside(folder, root)
            stack.callback(os.close, folder)
        yield Fetched(folder, commit, ())


def _limits(settings: FetchSection) -> isolation.Limits:
    return isolation.Limits(
        seconds=settings.timeout_s,
        scratch_bytes=(settings.max_mb << 20) + (1 << 20),
        scratch_files=settings.max_files + _EXTRA_INODES,
    )


@contextlib.contextmanager
def _upload(path: Path, max_upload_mb: int) -> Iterator[io.BufferedReader]:
    """The uploaded file, opened without following a link."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise BadSource("The uploaded archive is gone. Submit it again.") from error
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
            raise BadSource("The uploaded archive is empty. Submit it again.")
        if status.st_size > max_upload_mb << 20:
            raise BadSource(f"The uploaded archive is larger than {max_upload_mb} MiB. Leave data and results out.")
        yield file


def _failure(outcome: isolation.Outcome, settings: FetchSection) -> str:
    if outcome.stage == "program" and (outcome.died or outcome.out_of in {"memory", "time"}):
        return "Python's compiler breaks on run.py (it is nested too deeply, or far too complicated). Make it simpler."
    if outcome.out_of == "time":
        return f"The archive could not be unpacked within {settings.timeout_s:g} s. Make it smaller."
    if outcome.out_of == "space":
        return f"The archive is larger than {settings.max_mb} MiB unpacked. Leave data and build results out."
    return (
        "The archive needs far too much memory to unpack, or breaks the unpacker. Make an ordinary zip or tar.gz of it."
    )
