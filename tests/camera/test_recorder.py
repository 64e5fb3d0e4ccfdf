"""What is kept of a run, what makes room for it, and what is never lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.camera import listing
from appliance.camera.listing import Entry
from appliance.camera.recorder import Recorder, Run
from appliance.config import CameraSection, StorageSection
from appliance.paths import Paths

PICTURE = b"\xff\xd8" + bytes(100_000) + b"\xff\xd9"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "data", tmp_path / "run", tmp_path / "shm")


def recorder(
    paths: Paths,
    job_mb: int = 10,
    recordings_mb: int = 100,
    pinned: str = "",
    min_free_mb: int = 1,
    *,
    record: bool = True,
) -> Recorder:
    camera = CameraSection(url="test", job_mb=job_mb, record=record)
    storage = StorageSection(recordings_mb=recordings_mb, min_free_mb=min_free_mb)
    return Recorder(paths, camera, storage, lambda job_id: job_id == pinned)


def record(recorder: Recorder, job_id: str, count: int, begin_s: float = 100.0) -> None:
    recorder.follow(Run(job_id, 1))
    for number in range(count):
        recorder.add(PICTURE, begin_s + number / 10)
    recorder.follow(None)


def entries(paths: Paths, job_id: str) -> list[Entry]:
    """The list of a recording."""
    return listing.entries(paths.recording(job_id, 1).with_suffix(".csv").read_bytes()[listing.WIDTH :])


def test_every_picture_stands_where_the_list_says(paths: Paths) -> None:
    record(recorder(paths), "A", 5)
    content = paths.recording("A", 1).read_bytes()
    found = entries(paths, "A")
    assert [entry.taken_at for entry in found] == [100.0, 100.1, 100.2, 100.3, 100.4]
    assert all(content[entry.offset : entry.offset + entry.size] == PICTURE for entry in found)


def test_the_list_is_a_table_that_other_programs_read(paths: Paths) -> None:
    record(recorder(paths), "A", 2)
    lines = paths.recording("A", 1).with_suffix(".csv").read_text().splitlines()
    assert lines[0].split(",")[0] == "unix_s"
    assert [float(cell) for cell in lines[2].split(",")] == [100.1, len(PICTURE), len(PICTURE)]


@given(st.floats(0, 4e9), st.integers(0, 99_999_999_999), st.integers(0, 99_999_999))
def test_each_line_has_the_same_width(taken_at: float, offset: int, size: int) -> None:
    entry = Entry(round(taken_at, 3), offset, size)
    assert len(listing.line(entry)) == listing.WIDTH
    assert listing.entries(listing.line(entry)) == [entry]


def test_nothing_is_kept_between_runs_or_where_the_owner_wants_none(paths: Paths) -> None:
    between = recorder(paths)
    between.add(PICTURE, 1.0)
    record(recorder(paths, record=False), "A", 3)
    assert not list(paths.data.glob("jobs/*/*"))


def test_a_recording_ends_at_its_limit(paths: Paths) -> None:
    record(recorder(paths, job_mb=1), "A", 30)
    assert paths.recording("A", 1).stat().st_size == len(entries(paths, "A")) * len(PICTURE) == 10 * len(PICTURE)


def test_a_process_that_fell_goes_on_with_the_same_recording_and_its_limit(paths: Paths) -> None:
    record(recorder(paths, job_mb=1), "A", 4)
    record(recorder(paths, job_mb=1), "A", 30, 200.0)
    found = entries(paths, "A")
    assert len(found) == 10
    assert found[4] == Entry(200.0, 4 * len(PICTURE), len(PICTURE))


def test_a_list_cut_off_in_the_middle_of_a_line_is_read_up_to_there(paths: Paths) -> None:
    record(recorder(paths), "A", 3)
    path = paths.recording("A", 1).with_suffix(".csv")
    os.truncate(path, path.stat().st_size - 5)
    assert len(entries(paths, "A")) == 2


def test_the_oldest_make_room_and_pinned_ones_never(paths: Paths) -> None:
    keeper = recorder(paths, job_mb=1, recordings_mb=3, pinned="A")
    for age, job_id in enumerate("ABCD"):
        record(keeper, job_id, 9)
        stamp = 1_000_000 + age
        os.utime(paths.recording(job_id, 1), (stamp, stamp))
    kept = {path.parent.name for path in paths.data.glob("jobs/*/camera-1.mjpeg")}
    assert kept == {"A", "C", "D"}
    assert {path.parent.name for path in paths.data.glob("jobs/*/camera-1.csv")} == kept


def test_where_pinned_ones_fill_the_budget_nothing_is_recorded(paths: Paths) -> None:
    keeper = recorder(paths, job_mb=2, recordings_mb=1, pinned="A")
    record(keeper, "A", 30)
    record(keeper, "B", 3)
    assert paths.recording("A", 1).stat().st_size <= 1 << 20
    assert not entries(paths, "B")


def test_on_a_full_disk_nothing_is_recorded(paths: Paths) -> None:
    record(recorder(paths, min_free_mb=1_000_000), "A", 3)
    assert not paths.recording("A", 1).exists()


def test_a_folder_that_can_not_be_written_stops_no_picture(paths: Paths) -> None:
    paths.data.mkdir(parents=True)
    (paths.data / "jobs").write_text("in the way")
    record(recorder(paths), "A", 3)
