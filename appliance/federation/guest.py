"""How does a job from the fleet live in this appliance's queue, and what is told of its end?"""

from __future__ import annotations

import contextlib
import hashlib
import math
import shutil
from pathlib import Path
from typing import Final

import msgspec

from appliance import durable
from appliance.errors import Conflict, NotFound
from appliance.federation.desk import Finished, Progress
from appliance.federation.entries import File, Outcome, Spec
from appliance.federation.live import TAIL_BYTES
from appliance.jobs import Reason, State
from appliance.paths import Paths
from appliance.running import results
from appliance.shapes import Result
from appliance.store import GUEST, Job, Store

#: Ends that say nothing of the program: the fleet tries again elsewhere.
_NOT_ITS_FAULT: Final = frozenset({Reason.INTERRUPTED, Reason.NO_LEASE, Reason.INTERNAL_ERROR, Reason.BY_USER})
_PREVIEW_POINTS: Final = 96
_LARGEST_RESULT_BYTES: Final = 16 << 20


class Guest:
    """The rows and files of guests."""

    def __init__(self, store: Store, paths: Paths) -> None:
        self._store, self._paths = store, paths

    def find(self, local_id: str) -> Job | None:
        """The row of a guest."""
        try:
            return self._store.get(local_id)
        except NotFound:
            return None

    def objection(self, spec: Spec, archive: str) -> str:
        """Why what should run isn't what was submitted, '' if it is; `archive` was checked when it was fetched."""
        inline = spec.archive.inline
        if inline and hashlib.sha256(inline).hexdigest() != spec.archive.sha256:
            return "Its archive isn't the one that it names."
        return "" if inline or archive else "Its archive couldn't be fetched."

    def bring(self, local_id: str, spec: Spec, archive: str) -> None:
        """Put its archive where uploads are."""
        target = self._paths.upload(local_id)
        target.parent.mkdir(parents=True, exist_ok=True)
        if spec.archive.inline:
            durable.write(target, spec.archive.inline)
            return
        with contextlib.suppress(FileNotFoundError):  # it was moved before a crash
            shutil.move(archive, target)
        durable.sync_file(target)

    def dismiss(self, local_id: str, why: str, now_s: float) -> None:
        """It isn't this appliance's any more: what waits is cancelled; what runs, the runner ends."""
        job = self.find(local_id)
        if job is not None and not job.state.is_final:
            with contextlib.suppress(Conflict):  # it has just ended
                self._store.request_cancel(local_id, now_s)
            if why:
                self._store.explain(local_id, now_s, self._store.get(local_id).reason, why)

    def given_s(self, since_s: float) -> float:
        """How long the robot has worked for the fleet since then."""
        recent = [job for job in self._store.recent(500) if job.place == GUEST and (job.ended_at or 0.0) > since_s]
        return sum((job.ended_at or 0.0) - (job.started_at or job.ended_at or 0.0) for job in recent)

    def ended(self, job: Job) -> Finished:
        """What the fleet is told of a guest's end."""
        if job.reason in _NOT_ITS_FAULT:
            text = "Cancelled by the robot's owner." if job.reason is Reason.BY_USER else job.detail
            return Finished(None, text[:1000])
        folder = self._paths.attempt(job.id, job.attempt)
        bundle = folder / results.BUNDLE
        files: tuple[tuple[File, str], ...] = ()
        if bundle.is_file():
            with bundle.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            files = ((File(results.BUNDLE, digest, bundle.stat().st_size), str(bundle)),)
        elif job.reason is not Reason.BAD_SOURCE:
            return Finished(None, "The results are gone.")
        outcome = Outcome(
            job.state, job.reason, job.detail[:1000], job.exit_code, job.steps, job.missed_steps, job.started_at,
            job.ended_at, _preview(folder / "result.json"),
        )  # fmt: skip
        return Finished(outcome, files=files)

    def progress(self, job: Job, now_s: float) -> Progress:
        """How it is, for whoever submitted it."""
        log = self._paths.attempt(job.id, job.attempt) / results.OUTPUT
        size, tail = _tail(log)
        running = job.state is State.RUNNING and job.started_at is not None
        return Progress(job.state, max(0.0, now_s - (job.started_at or 0.0)) if running else None, size, tail)


def _tail(path: Path) -> tuple[int, bytes]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            return size, file.read(TAIL_BYTES)
    except OSError:
        return 0, b""


def _preview(path: Path) -> tuple[int, ...]:
    """The angle at equal distances in time, degrees from upright; empty if there is nothing to see."""
    try:
        if path.stat().st_size > _LARGEST_RESULT_BYTES:
            return ()
        found = msgspec.json.decode(path.read_bytes(), type=Result)
    except (OSError, msgspec.DecodeError):
        return ()
    every = max(1, -(-len(found.obs) // _PREVIEW_POINTS))
    return tuple(round(math.degrees(math.atan2(sine, cosine))) for cosine, sine, _ in found.obs[::every])
