"""Old results make room; records, reports, pinned and new ones stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.config import StorageSection
from appliance.jobs import State
from appliance.paths import Paths
from appliance.running import retention
from appliance.store import NewJob, Store

FULL = StorageSection(clear_above_percent=5.0, keep_newest=2)
FILES = ("report.json", "output.log", "robot.yaml", "bundle.zip", "trace.npz", "result.json", "steps.csv")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "data", tmp_path / "run", tmp_path / "shm")


@pytest.fixture
def store(paths: Paths) -> Store:
    return Store(paths.database)


def ended(store: Store, paths: Paths, now_s: float) -> str:
    job = store.add(NewJob("archive", "a.zip", "ann"), now_s).id
    store.request_cancel(job, now_s)
    for folder in (paths.source(job), paths.attempt(job, 1)):
        folder.mkdir(parents=True)
    for name in FILES:
        (paths.attempt(job, 1) / name).write_text("x")
    for suffix in (".mjpeg", ".csv"):
        paths.recording(job, 1).with_suffix(suffix).write_text("x")
    return job


def left(paths: Paths, job: str) -> set[str]:
    return {path.name for path in paths.attempt(job, 1).iterdir()}


@pytest.mark.skipif(retention.used_percent(Path("/tmp")) < 5.0, reason="an empty disk")
def test_the_oldest_results_go_and_everything_else_stays(store: Store, paths: Paths) -> None:
    jobs = [ended(store, paths, 1_700_000_000.0 + n) for n in range(5)]
    store.pin(jobs[1], True, 1.0)
    waiting = store.add(NewJob("archive", "a.zip", "ann"), 1_600_000_000.0).id
    assert retention.make_room(store, paths, FULL) == [jobs[0], jobs[2]]
    assert left(paths, jobs[0]) == {"report.json", "output.log", "robot.yaml"}
    assert not paths.source(jobs[0]).exists()
    assert not list(paths.job(jobs[0]).glob("camera*"))
    assert paths.recording(jobs[1], 1).exists()
    for kept in (jobs[1], jobs[3], jobs[4]):
        assert left(paths, kept) == set(FILES)
    assert store.get(jobs[0]).cleared_at is not None
    assert store.get(jobs[0]).state is State.CANCELLED
    assert store.get(waiting).cleared_at is None
    assert retention.make_room(store, paths, FULL) == []


def test_a_disk_with_room_loses_nothing(store: Store, paths: Paths) -> None:
    job = ended(store, paths, 1_700_000_000.0)
    assert retention.make_room(store, paths, replace_limit(100.0)) == []
    assert left(paths, job) == set(FILES)


def test_what_a_crash_left_of_clearing_is_finished(store: Store, paths: Paths) -> None:
    job = ended(store, paths, 1_700_000_000.0)
    assert store.clear(job, 2.0)
    retention.finish(store, paths)
    assert "bundle.zip" not in left(paths, job)
    store.pin(job, True, 3.0)
    assert not store.clear(job, 4.0)


def replace_limit(percent: float) -> StorageSection:
    return StorageSection(clear_above_percent=percent, keep_newest=0)
