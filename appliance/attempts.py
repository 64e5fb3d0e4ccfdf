"""Where are a job's results? In the folder of its newest attempt that is complete."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from appliance.jobs import MAX_ATTEMPTS
from appliance.paths import Paths
from appliance.store import AWAY, Job

REPORT: Final = "report.json"


class _Report(msgspec.Struct, frozen=True):
    """What is needed of a report here."""

    robot_kind: str = ""


def robot_kind(report: bytes) -> str:
    """Which kind of robot has left results with this report; '' where it doesn't say."""
    try:
        return msgspec.json.decode(report, type=_Report).robot_kind
    except msgspec.DecodeError:
        return ""


def results_folder(paths: Paths, job: Job) -> Path | None:
    """The newest attempt whose results are complete (report.json is written last), or None."""
    if job.place == AWAY:
        return paths.away(job.id) if (paths.away(job.id) / REPORT).is_file() else None
    newest_first = range(max(job.attempt, MAX_ATTEMPTS), 0, -1)
    folders = (paths.attempt(job.id, attempt) for attempt in newest_first)
    return next((folder for folder in folders if (folder / REPORT).is_file()), None)
