from __future__ import annotations

import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.errors import RobotError
from appliance.paths import Paths
from appliance.realtime.session_files import SessionFiles
from appliance.realtime.telemetry import Segment

SESSION = 0xABCDEF


@pytest.fixture
def files(tmp_path: Path) -> SessionFiles:
    shm = tmp_path / "shm"
    shm.mkdir()
    return SessionFiles(Paths(tmp_path / "data", tmp_path / "run", shm), rate_hz=1000, dt_s=0.05)


@pytest.fixture
def small_files_only() -> Iterator[None]:
    """No file of this process may grow beyond 1 MB, as where memory has run out."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_folder_and_segment_are_made(files: SessionFiles) -> None:
    files.create(SESSION, 120.0)
    assert stat.S_IMODE(files.paths.session(SESSION).stat().st_mode) == 0o755
    segment = Segment(files.paths.segment(SESSION), writable=False)
    assert segment.session == SESSION
    assert segment.size.ticks > 120_000


def test_without_room_nothing_is_made(files: SessionFiles, small_files_only: None) -> None:
    with pytest.raises(RobotError, match="bytes of shared memory are needed"):
        files.create(SESSION, 120.0)
    assert not files.paths.session(SESSION).exists()
    assert not files.paths.segment(SESSION).exists()


def test_records_of_an_earlier_session_are_never_touched(files: SessionFiles) -> None:
    files.create(SESSION, 1.0)
    files.remove_folder(SESSION)
    before = files.paths.segment(SESSION).read_bytes()
    with pytest.raises(RobotError, match="used before"):
        files.create(SESSION, 1.0)
    assert files.paths.segment(SESSION).read_bytes() == before


def test_undo_removes_both_and_any_number_of_times(files: SessionFiles) -> None:
    files.create(SESSION, 1.0)
    for _ in range(2):
        files.undo(SESSION)
    assert list(files.paths.shm.iterdir()) == []


def test_folders_of_an_earlier_guard_go_and_segments_stay(files: SessionFiles) -> None:
    files.create(SESSION, 1.0)
    (files.paths.session(SESSION) / "robot").touch()
    files.remove_old_folders()
    assert not files.paths.session(SESSION).exists()
    assert files.paths.segment(SESSION).exists()
