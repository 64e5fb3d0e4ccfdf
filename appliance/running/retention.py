"""Whose results make room when the disk fills? The oldest that nobody has pinned; the record of every job stays.

What goes is what weighs: bundle, data, trace, source. The report and the output stay, and the job says when its data went.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Final

from appliance.camera.recorder import PATTERN as RECORDINGS
from appliance.camera.recorder import discard as discard_recording
from appliance.config import StorageSection
from appliance.paths import Paths
from appliance.running import results
from appliance.store import AWAY, Job, Store

#: What stays of a cleared attempt.
KEPT: Final = frozenset({results.REPORT, results.OUTPUT, results.ROBOT})
_AT_ONCE: Final = 50


def used_percent(folder: Path) -> float:
    """How full the disk is, as `df` counts: what only root may use is full."""
    usage = shutil.disk_usage(folder)
    return 100.0 * usage.used / max(1, usage.used + usage.free)


def make_room(store: Store, paths: Paths, storage: StorageSection) -> list[str]:
    """Clear results, the oldest first, until the disk is below the limit or only kept ones are left; returns their jobs."""
    cleared: list[str] = []
    while used_percent(paths.data) >= storage.clear_above_percent:
        candidates = store.clearable(storage.keep_newest, _AT_ONCE)
        if not candidates:
            break
        for job in candidates:
            if store.clear(job.id, time.time()):
                discard(job, paths)
                cleared.append(job.id)
            if used_percent(paths.data) < storage.clear_above_percent:
                break
            if job.place == AWAY:  # its data are the fleet's process's, which removes them soon
                return cleared
    return cleared


def discard(job: Job, paths: Paths) -> None:
    """Remove what weighs of a job that is marked as cleared; can be repeated."""
    shutil.rmtree(paths.source(job.id), ignore_errors=True)
    paths.animation(job.id).unlink(missing_ok=True)
    for recording in paths.job(job.id).glob(RECORDINGS):
        discard_recording(recording)
    for attempt in paths.job(job.id).glob("attempt-?"):
        lighten(attempt)


def lighten(folder: Path) -> None:
    """Remove what weighs from a folder of results."""
    for path in folder.iterdir():
        if path.name not in KEPT:
            path.unlink(missing_ok=True)


def finish(store: Store, paths: Paths) -> None:
    """Remove what a crash has left of jobs that were being cleared."""
    for job in store.cleared():
        if paths.source(job.id).exists() or any(paths.job(job.id).glob(f"attempt-?/{results.BUNDLE}")):
            discard(job, paths)
