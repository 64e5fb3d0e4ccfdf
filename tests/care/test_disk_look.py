"""What takes room is told by kind and job, and what goes next as retention itself would choose it."""

from __future__ import annotations

from pathlib import Path

from appliance.care import disk_look
from appliance.config import StorageSection
from appliance.paths import Paths
from appliance.store import Store
from tests.care.furnished import furnish


def test_sums_are_by_kind_and_follow_no_link(tmp_path: Path) -> None:
    paths = furnish(tmp_path)
    (tmp_path / "large").write_bytes(b"x" * 2**20)
    (paths.data / "jobs" / "link").symlink_to(tmp_path)
    (paths.inbox / "link").symlink_to(tmp_path / "large")
    use = disk_look.look(paths, StorageSection())
    shares = {share.name: share.bytes for share in use.shares}
    assert {
        "Database",
        "Results of jobs",
        "Sources of jobs",
        "Owner and tokens",
        "Uploads of jobs that wait",
    } <= shares.keys()
    assert use.data_bytes < 2**20
    assert use.jobs == 2


def test_next_to_go_is_what_retention_would_clear(tmp_path: Path) -> None:
    paths = furnish(tmp_path)
    store = Store(paths.database)
    (done,) = [job for job in store.recent() if job.state.is_final]
    store.close()
    assert disk_look.look(paths, StorageSection(keep_newest=20)).next_jobs == ()
    (first,) = disk_look.look(paths, StorageSection(keep_newest=0)).next_jobs
    assert first.id == done.id
    assert first.bytes > 0


def test_an_empty_folder_is_no_mistake(tmp_path: Path) -> None:
    use = disk_look.look(Paths.of(tmp_path), StorageSection())
    assert (use.shares, use.next_jobs, use.jobs) == ((), (), 0)
    assert use.total_bytes > 0
