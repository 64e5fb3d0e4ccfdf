"""What does an attempt leave behind? Its data files, one archive of all, and `report.json`, written last.

A folder with a report is complete and never changes again; the report holds a checksum of every other file. What the
robot did comes from shared memory, so a job can't forge it; what it printed is shown as what it printed.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from appliance import durable
from appliance.calibration import residual
from appliance.calibration.residual import Residual
from appliance.running import recording, same_actions
from appliance.running.record import Record
from appliance.running.recording import Recording
from appliance.shapes import Report, StandardTask
from appliance.store import Job
from gym_raas import parameters, standard
from gym_raas.kinds.kind import Task
from gym_raas.kinds.known import KINDS, PENDULUM
from gym_raas.parameters import Robot

REPORT: Final = "report.json"
BUNDLE: Final = "bundle.zip"
OUTPUT: Final = "output.log"
ROBOT: Final = "robot.yaml"
TWIN: Final = "twin.csv"
_SCHEMA: Final = 1
# The oldest date that a zip can hold: the same files make the same archive.
_ZIP_DATE: Final = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Setting:
    """What is the same for all jobs of an appliance, for the report."""

    robot_name: str
    link: str
    software: str
    limit_s: float


def write(folder: Path, job: Job, record: Record, recorded: Recording, setting: Setting) -> Report:
    """Complete an attempt's folder, in which output and robot file stand already, and return its report.

    Idempotent. Raises OSError (full disk); nothing that was there is lost then.
    """
    output = _read(folder / OUTPUT)
    failed = record.state != "succeeded"
    robot = _robot(folder / ROBOT)
    task = _task(robot)
    result = recording.result(recorded, output.decode(errors="replace"), failed=failed, task=task)
    durable.write(folder / "result.json", msgspec.json.encode(result))
    durable.write(folder / "steps.csv", recording.steps_csv(recorded, task))
    durable.write(folder / "trace.npz", recording.trace_npz(recorded))
    apart = _apart(robot, recorded)
    names = ["result.json", "steps.csv", "trace.npz"]
    if apart is not None:
        durable.write(folder / TWIN, recording.twin_csv(apart))
        names.append(TWIN)
    names += [name for name in (OUTPUT, ROBOT) if (folder / name).exists()]
    for name in (OUTPUT, ROBOT):
        if name in names:
            durable.sync_file(folder / name)
    report = _report(folder, names, job, record, recorded, setting, apart)
    content = msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"
    durable.write(folder / BUNDLE, _zip(folder, names, content))
    durable.write(folder / REPORT, content)
    return report


def read_report(folder: Path) -> Report | None:
    """The report of an attempt; None if the attempt isn't complete."""
    try:
        return msgspec.json.decode((folder / REPORT).read_bytes(), type=Report)
    except FileNotFoundError:
        return None


def _apart(robot: Robot | None, recorded: Recording) -> Residual | None:
    """The twin under the recorded commands, beside what was measured."""
    ticks = recorded.ticks
    if robot is None or not len(ticks):
        return None
    columns = (ticks["counts"].astype(np.int64), ticks["velocity_rad_s"].astype(float), ticks["command"].astype(float))
    return residual.compare(robot, ticks["t_us"] / 1e6, *columns)


def _report(
    folder: Path,
    names: list[str],
    job: Job,
    record: Record,
    recorded: Recording,
    setting: Setting,
    apart: Residual | None,
) -> Report:
    robot = _robot(folder / ROBOT)
    return Report(
        schema=_SCHEMA,
        job_id=job.id,
        attempt=record.attempt,
        state=record.state,
        reason=record.reason,
        detail=record.detail,
        name=job.name,
        submitter=job.submitter,
        source_kind=job.source_kind,
        source=job.source,
        ref=job.ref,
        commit_id=job.commit_id,
        image=job.image,
        robot=setting.robot_name,
        robot_kind=robot.kind if robot else "",
        link=setting.link,
        parameter_hash=robot.parameter_hash if robot else "",
        software=setting.software,
        submitted_at=job.submitted_at,
        started_at=record.started_at,
        ended_at=record.ended_at,
        duration_s=max(0.0, record.ended_at - (record.started_at or record.ended_at)),
        limit_s=job.lease_s or setting.limit_s,
        exit_code=record.exit_code,
        out_of_memory=record.out_of_memory,
        settle_s=record.settle_s,
        steps=len(recorded.steps),
        missed_steps=recorded.missed,
        return_sum=recorded.return_sum,
        output_bytes=record.output_bytes,
        output_dropped_bytes=record.output_dropped_bytes,
        timing=recording.timing(recorded, _task(robot)),
        residual=None if apart is None else apart.figures(),
        self_test_before=record.self_test_before,
        self_test_after=record.self_test_after,
        network=record.network,
        standard_task=_standard_task(recorded, robot),
        files={name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in sorted(names)},
    )


def _task(robot: Robot | None) -> Task:
    """What the robot was to do; the reference's where its file can't be read."""
    return PENDULUM.task if robot is None else KINDS[robot.kind].task


def _standard_task(recorded: Recording, robot: Robot | None) -> StandardTask | None:
    """Only the pendulum has one."""
    if robot is not None and robot.kind != PENDULUM.name:
        return None
    found = standard.outcome(recorded.steps)
    if found is None:
        return None
    same = None if robot is None else same_actions.mean_return(standard.fulfilled(recorded.steps), robot)
    return StandardTask(**found._asdict(), twin_return=same)


def _zip(folder: Path, names: list[str], report: bytes) -> bytes:
    """All files and the report in one archive that depends on their content only."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        contents = {name: (folder / name).read_bytes() for name in names} | {REPORT: report}
        for name in sorted(contents):
            entry = zipfile.ZipInfo(f"{folder.parent.name}-{folder.name}/{name}", _ZIP_DATE)
            entry.external_attr = 0o644 << 16
            # Compressing what is compressed costs seconds on a small computer and gains nothing.
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".npz") else zipfile.ZIP_DEFLATED
            archive.writestr(entry, contents[name])
    return buffer.getvalue()


def _robot(path: Path) -> Robot | None:
    try:
        return parameters.load_robot(path)
    except parameters.RobotFileError:
        return None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""
