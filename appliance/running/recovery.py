"""What did a runner that died leave behind? Finds it in files and shared memory; `runner` decides what becomes of the jobs."""

from __future__ import annotations

import contextlib
import re
import shutil

import msgspec

from appliance import durable, ulid
from appliance.errors import NotFound
from appliance.jobs import Reason, State
from appliance.paths import Paths
from appliance.running import record, results
from appliance.running.record import Record
from appliance.running.verdict import Cause, Evidence, SessionEnd, judge
from appliance.store import Job, Store


def record_of(job: Job, paths: Paths, now_s: float) -> Record:
    """The record of a job that was caught in `running` or `collecting`, with a verdict.

    A verdict that stood already is kept if the session's data are still there; otherwise the attempt was interrupted,
    and whatever data there are belong to it.
    """
    found = record.load(paths, job.id, job.attempt)
    if found is None or re.fullmatch("[0-9a-f]{16}", found.session) is None:
        found = Record(session="0" * 16, attempt=job.attempt, started_at=job.started_at)
    if found.state and paths.segment(int(found.session, 16)).exists():
        return found
    if found.state and (paths.attempt(job.id, job.attempt) / results.REPORT).exists():
        return found
    evidence = Evidence(Cause.CRASH, None, SessionEnd("lost"), "", 0.0, 0)
    verdict = judge(evidence)
    output = paths.attempt(job.id, job.attempt) / results.OUTPUT
    size_bytes = output.stat().st_size if output.is_file() else 0
    interrupted = msgspec.structs.replace(
        found,
        ended_at=now_s,
        state=verdict.state,
        reason=verdict.reason,
        detail=verdict.detail,
        output_bytes=size_bytes,
    )
    if job.cancel_requested:
        interrupted = msgspec.structs.replace(
            interrupted, state=State.CANCELLED, reason=Reason.BY_USER, detail="Cancelled while it was running."
        )
    record.save(paths, job.id, interrupted, sync=True)
    return interrupted


def discard_unstarted(job: Job, paths: Paths) -> None:
    """Remove what a job that had not begun to run has of its present attempt."""
    shutil.rmtree(paths.attempt(job.id, job.attempt), ignore_errors=True)
    record.path(paths, job.id, job.attempt).unlink(missing_ok=True)


def discard_never_run(job: Job, paths: Paths) -> None:
    """Remove upload and source of a job that ended without an attempt; one with an attempt keeps its source."""
    paths.upload(job.id).unlink(missing_ok=True)
    if not any(paths.job(job.id).glob("attempt-*")):
        shutil.rmtree(paths.job(job.id), ignore_errors=True)


def discard_uploads(store: Store, paths: Paths) -> None:
    """Remove uploads of jobs that have ended, such as those cancelled while nobody but the queue knew of them.

    One that was prepared and then put back has a source, too.
    """
    for upload in paths.inbox.iterdir() if paths.inbox.is_dir() else ():
        with contextlib.suppress(NotFound):
            if ulid.is_valid(upload.name) and (job := store.get(upload.name)).state.is_final:
                discard_never_run(job, paths)


def discard_partial_files(job: Job, paths: Paths) -> None:
    """Remove half-written files of a job."""
    for partial in paths.job(job.id).rglob("*" + durable.PARTIAL):
        if "source" not in partial.relative_to(paths.job(job.id)).parts:
            partial.unlink(missing_ok=True)


def discard_sessions(paths: Paths) -> int:
    """Remove segments and folders of sessions that nobody collects any more; returns how many segments there were.

    Only once all caught jobs are complete, and nothing is armed.
    """
    found = paths.shm.iterdir() if paths.shm.is_dir() else ()
    left = [entry for entry in found if re.fullmatch("[0-9a-f]{16}", entry.name)]
    for segment in left:
        segment.unlink(missing_ok=True)
    folders = paths.session(0).parent
    for folder in folders.iterdir() if folders.is_dir() else ():
        shutil.rmtree(folder, ignore_errors=True)
    return len(left)
