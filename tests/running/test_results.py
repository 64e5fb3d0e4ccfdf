"""What an attempt leaves behind."""

from __future__ import annotations

import hashlib
import json
import math
import os
import zipfile
from pathlib import Path

import pytest

from appliance import durable
from appliance.jobs import State
from appliance.running import recording, results
from appliance.running.record import Record
from appliance.running.recording import Recording
from appliance.running.results import Setting
from gym_raas.parameters import PACKAGED, load_robot
from tests.fake_guard import write_segment
from tests.sample_jobs import job

SETTING = Setting("pendulum 1", "twin", "0.1", 120.0)
RECORD = Record(
    session="0" * 15 + "1", attempt=1, settle_s=2.5, started_at=100.0, ended_at=103.5, state="succeeded", exit_code=0,
    output_bytes=7, output_dropped_bytes=0,
)  # fmt: skip
JOB = job(State.COLLECTING)


@pytest.fixture
def recorded(tmp_path: Path) -> Recording:
    write_segment(tmp_path / "segment", 1, 4)
    return recording.read(tmp_path / "segment")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / JOB.id / "attempt-1"
    folder.mkdir(parents=True)
    (folder / results.OUTPUT).write_bytes(b"caf\xe9 \x1b\n")
    (folder / results.ROBOT).write_bytes(PACKAGED.read_bytes())
    return folder


def test_the_report_has_a_true_checksum_of_every_other_file(folder: Path, recorded: Recording) -> None:
    report = results.write(folder, JOB, RECORD, recorded, SETTING)
    others = {path.name for path in folder.iterdir()} - {results.REPORT, results.BUNDLE}
    assert report.files.keys() == others
    for name, digest in report.files.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_the_report_says_what_happened(folder: Path, recorded: Recording) -> None:
    results.write(folder, JOB, RECORD, recorded, SETTING)
    report = json.loads((folder / results.REPORT).read_text())
    assert (report["state"], report["steps"], report["missed_steps"], report["duration_s"]) == ("succeeded", 4, 4, 3.5)
    assert (report["settle_s"], report["commit_id"], report["return_sum"]) == (2.5, "c", -38.0)
    assert report["parameter_hash"] == load_robot().parameter_hash


def test_the_report_tells_the_return_of_the_standard_task_only_if_it_was_done(
    folder: Path, recorded: Recording
) -> None:
    results.write(folder, JOB, RECORD, recorded, SETTING)
    assert json.loads((folder / results.REPORT).read_text())["standard_task"] is None
    step = recorded.steps[0]._replace(angle_rad=math.pi, velocity_rad_s=0.0, action=0.0, cost=math.pi**2, missed=0)
    hanging = Recording([step._replace(k=k) for k in range(1, 401)], recorded.ticks)
    (folder / results.REPORT).unlink()
    results.write(folder, JOB, RECORD, hanging, SETTING)
    told = json.loads((folder / results.REPORT).read_text())["standard_task"]
    assert told == {
        "episodes": 1,
        "mean_return": pytest.approx(-400 * math.pi**2),
        "best_return": told["mean_return"],
        "missed": 0,
        "twin_return": pytest.approx(-400 * math.pi**2),
    }


def test_the_result_has_the_promised_keys_and_any_bytes_as_text(folder: Path, recorded: Recording) -> None:
    results.write(folder, JOB, RECORD, recorded, SETTING)
    result = json.loads((folder / "result.json").read_text())
    assert set(result) == {"times", "obs", "actions", "costs", "stdout", "failed"}
    assert (len(result["obs"]), len(result["obs"][0]), result["stdout"]) == (4, 3, "caf� \x1b\n")


def test_the_bundle_holds_everything_and_only_depends_on_it(folder: Path, recorded: Recording, tmp_path: Path) -> None:
    results.write(folder, JOB, RECORD, recorded, SETTING)
    again = tmp_path / "again" / JOB.id / "attempt-1"
    again.mkdir(parents=True)
    for name in (results.OUTPUT, results.ROBOT):
        (again / name).write_bytes((folder / name).read_bytes())
        os.utime(again / name, (1, 1))
    results.write(again, JOB, RECORD, recorded, SETTING)
    assert (folder / results.BUNDLE).read_bytes() == (again / results.BUNDLE).read_bytes()
    with zipfile.ZipFile(folder / results.BUNDLE) as archive:
        inside = {Path(name).name for name in archive.namelist()}
        assert inside == {path.name for path in folder.iterdir()} - {results.BUNDLE}
        assert archive.read(f"{JOB.id}-attempt-1/report.json") == (folder / results.REPORT).read_bytes()
        assert archive.testzip() is None


def test_an_attempt_without_data_is_complete_too(tmp_path: Path) -> None:
    report = results.write(tmp_path, JOB, RECORD, recording.EMPTY, SETTING)
    assert (report.steps, report.timing, report.parameter_hash) == (0, None, "")
    assert set(report.files) == {"result.json", "steps.csv", "trace.npz"}


def test_the_report_is_written_last(folder: Path, recorded: Recording) -> None:
    (folder / (results.BUNDLE + durable.PARTIAL)).mkdir()  # the archive can't be written
    with pytest.raises(OSError, match="directory"):
        results.write(folder, JOB, RECORD, recorded, SETTING)
    assert results.read_report(folder) is None
    (folder / (results.BUNDLE + durable.PARTIAL)).rmdir()
    report = results.write(folder, JOB, RECORD, recorded, SETTING)
    assert results.read_report(folder) == report


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    durable.write(tmp_path / "a", b"old")
    with pytest.raises(OSError, match="name too long"):
        durable.write(tmp_path / ("a" * 255), b"new")
    durable.write(tmp_path / "a", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"new"}
