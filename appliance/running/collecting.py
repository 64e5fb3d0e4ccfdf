"""How does an attempt that has its verdict become complete? Shared memory is drained, files are written, then it is gone.

Can be repeated after a crash at any point: nothing is removed before `report.json` stands.
"""

from __future__ import annotations

from appliance import durable
from appliance.paths import Paths
from appliance.running import record, recording, results
from appliance.running.record import Record
from appliance.running.results import Setting
from appliance.shapes import Report
from appliance.store import Job


def collect(job: Job, found: Record, paths: Paths, setting: Setting) -> Report:
    """Complete the folder of one attempt, unless it is complete. Raises OSError (full disk): call it again then."""
    folder = paths.attempt(job.id, found.attempt)
    segment = paths.segment(int(found.session, 16))
    report = results.read_report(folder)
    if report is None:
        folder.mkdir(parents=True, exist_ok=True)
        report = results.write(folder, job, found, recording.read(segment), setting)
        durable.sync_file(folder.parent)
    segment.unlink(missing_ok=True)
    return report


def forget_record(job: Job, found: Record, paths: Paths) -> None:
    """The job's state says it all now: the record has done its duty."""
    record.path(paths, job.id, found.attempt).unlink(missing_ok=True)
