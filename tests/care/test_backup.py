"""A backup brings everything back on a fresh data folder, and a bad one changes nothing."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance import up
from appliance.care import backup, manifest, restore
from appliance.care.backup import BackupFailed, Source
from appliance.care.manifest import BadBackup
from appliance.care.restore import Target
from appliance.errors import Conflict, InUse
from appliance.identity.ownership import Ownership
from appliance.jobs import State
from appliance.paths import Paths
from appliance.store import NewJob, Store
from tests.appliance_process import REPOSITORY
from tests.care.furnished import PASSWORD, files, furnish


@pytest.fixture
def appliance(tmp_path: Path) -> Paths:
    return furnish(tmp_path)


@pytest.fixture
def saved(appliance: Paths, tmp_path: Path) -> Path:
    file = tmp_path / "raas.tar"
    backup.write(Source(appliance, appliance.config, time.time()), file)
    return file


def fresh(folder: Path) -> Target:
    """Another machine's empty data folder."""
    paths = Paths.of(folder / "fresh", folder / "run")
    return Target(paths, paths.config)


def names(paths: Paths) -> dict[str, State]:
    store = Store(paths.database)
    try:
        return {job.name: job.state for job in store.recent()}
    finally:
        store.close()


def test_a_fresh_folder_gets_jobs_results_owner_and_settings_back(
    appliance: Paths, saved: Path, tmp_path: Path
) -> None:
    target = fresh(tmp_path)
    done = restore.restore(saved, target)
    assert names(target.paths) == {"done": State.SUCCEEDED, "runs": State.RUNNING, "waits": State.QUEUED}
    before, after = files(appliance), files(target.paths)
    assert {name: content for name, content in before.items() if name in after} == after
    left_out = set(before) - set(after)
    assert {name.split("/", 2)[2] for name in left_out} == {
        "attempt-1/output.log",
        "attempt-1/report.json",
        "source/a folder/run.py",
    }
    Ownership(target.paths.identity).check(PASSWORD)
    assert target.config_file.read_bytes() == appliance.config.read_bytes()
    assert (target.paths.data / "robot.yaml").read_text() == "name: mine\n"
    assert "robot.yaml" in " ".join(done.notes)
    assert done.aside is None


def test_the_files_of_the_owner_and_the_backup_are_for_nobody_else(saved: Path, tmp_path: Path) -> None:
    assert saved.stat().st_mode & 0o777 == 0o600
    target = fresh(tmp_path)
    restore.restore(saved, target)
    assert (target.paths.identity / "owner.json").stat().st_mode & 0o777 == 0o600
    assert target.paths.identity.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_what_comes_back_belongs_to_the_service_that_owns_the_place(saved: Path, tmp_path: Path) -> None:
    target = fresh(tmp_path)
    (target.paths.data / "jobs").mkdir(parents=True)
    os.chown(target.paths.data / "jobs", 12345, 54321)
    (target.paths.data / "jobs").chmod(0o2750)
    restore.restore(saved, target)
    for path in (target.paths.data / "jobs").rglob("*"):
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)


def test_an_appliance_that_works_is_saved_as_of_one_moment(appliance: Paths, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        store = Store(appliance.database)
        while not stop.is_set():
            store.add(NewJob("git", "https://example.org/a", "ben", name="one of many"), time.time())
        store.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            backup.write(Source(appliance, appliance.config, time.time()), tmp_path / f"{number}.tar")
    finally:
        stop.set()
        writer.join()
    target = fresh(tmp_path)
    made = restore.restore(tmp_path / "4.tar", target).manifest
    store = Store(target.paths.database)
    assert store.count() == made.jobs > 3
    store.close()


def test_links_and_half_written_files_stay_out(appliance: Paths, tmp_path: Path) -> None:
    (job,) = [path for path in (appliance.data / "jobs").iterdir() if not appliance.upload(path.name).exists()]
    (job / "attempt-1" / "secret").symlink_to("/etc/shadow")
    (job / "attempt-1" / "result.json.partial").write_text("half")
    (job / "elsewhere").symlink_to("/etc")
    os.mkfifo(job / "attempt-1" / "pipe")
    made = backup.write(Source(appliance, appliance.config, time.time()), tmp_path / "raas.tar")
    assert not [name for name in made.files if name.endswith(("secret", ".partial", "pipe")) or "elsewhere" in name]


def test_where_there_is_no_appliance_nothing_is_saved(tmp_path: Path) -> None:
    paths = Paths.of(tmp_path / "nothing")
    with pytest.raises(BackupFailed, match="no appliance"):
        backup.write(Source(paths, paths.config, 0.0), tmp_path / "raas.tar")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small disk")
def test_a_full_disk_leaves_no_half_backup(appliance: Paths, tmp_path: Path) -> None:
    target = tmp_path / "full" / "raas.tar"
    target.parent.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(target.parent)], check=True)
    try:
        with pytest.raises(BackupFailed, match=r"No space left|disk is full"):
            backup.write(Source(appliance, appliance.config, 0.0), target)
        assert list(target.parent.iterdir()) == []
    finally:
        subprocess.run(["umount", str(target.parent)], check=True)


# --- a restore refuses


def test_an_appliance_that_runs_is_refused(appliance: Paths, saved: Path) -> None:
    target = Target(appliance, appliance.config, replace=True)
    before = files(appliance)
    with up._locked(appliance), pytest.raises(InUse, match="Stop it first"):
        restore.restore(saved, target)
    store = Store(appliance.database)
    try:
        with pytest.raises(InUse, match="database"):
            restore.restore(saved, target)
    finally:
        store.close()
    assert files(appliance) == before


def test_jobs_are_only_put_aside_on_purpose_and_never_removed(appliance: Paths, saved: Path) -> None:
    with pytest.raises(Conflict, match=r"3 jobs.*--replace"):
        restore.restore(saved, Target(appliance, appliance.config))
    before = files(appliance)
    done = restore.restore(saved, Target(appliance, appliance.config, replace=True))
    assert done.aside is not None
    assert {name: (done.aside / name).read_bytes() for name in before} == before
    assert (done.aside / "db" / "raas.db").exists()
    assert (done.aside / "config" / "raas.yaml").exists()
    assert done.aside.stat().st_mode & 0o777 == 0o700
    assert len(names(appliance)) == 3


def test_a_damaged_database_is_replaced_and_kept(appliance: Paths, saved: Path) -> None:
    appliance.database.write_bytes(b"\xff" * 10_000)
    with pytest.raises(Conflict, match="can't be read"):
        restore.restore(saved, Target(appliance, appliance.config))
    restore.restore(saved, Target(appliance, appliance.config, replace=True))
    assert len(names(appliance)) == 3


def refused(file: Path, folder: Path) -> str:
    """What a restore says about it; nothing must have come in."""
    target = fresh(folder)
    with pytest.raises(BadBackup) as caught:
        restore.restore(file, target)
    assert sorted(path.name for path in target.paths.data.iterdir()) == ["lock"]
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith("..")) == []
    return str(caught.value)


def members(file: Path) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(file) as tar:
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None
            yield member, content.read()


def rewritten(file: Path, to: Path, *more: tuple[tarfile.TarInfo, bytes], without: str = "") -> Path:
    """The same backup with other members before the list of contents."""
    with tarfile.open(to, "w", format=tarfile.PAX_FORMAT) as tar:
        for member, content in members(file):
            if member.name == manifest.NAME:
                for extra, data in more:
                    tar.addfile(extra, io.BytesIO(data))
            if member.name != without:
                tar.addfile(member, io.BytesIO(content))
    return to


def member(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", content: bytes = b"evil"
) -> tuple[tarfile.TarInfo, bytes]:
    header = tarfile.TarInfo(name)
    header.type, header.linkname = kind, link
    header.size = len(content) if kind == tarfile.REGTYPE else 0
    return header, content


JOB = "01HZZZZZZZZZZZZZZZZZZZZZZZ"
TRICKS = [
    member("../evil"), member("/etc/evil"), member("jobs/../../evil"), member(f"jobs/{JOB}/../../../evil"),
    member(f"jobs/{JOB}/attempt-1/..//evil"), member(f"jobs/{JOB}/a\\b"), member("raas.yaml"), member("lock"),
    member("config/other.yaml"), member("identity/../raas.yaml"), member("identity/evil"), member(f"inbox/{JOB}/x"),
    member("inbox/evil"), member(f"jobs/{JOB}/attempt-1/x", tarfile.SYMTYPE, "/etc/passwd"),
    member(f"jobs/{JOB}", tarfile.SYMTYPE, "/etc"), member(f"jobs/{JOB}/attempt-1/x", tarfile.LNKTYPE, "/etc/passwd"),
    member(f"jobs/{JOB}/dev", tarfile.CHRTYPE), member(f"jobs/{JOB}/pipe", tarfile.FIFOTYPE),
    member(f"jobs/{JOB}/folder", tarfile.DIRTYPE), member("db/raas.db"), member(f"jobs/{JOB}/unlisted"),
    member(f"jobs/{JOB}/a\nb"), member(f"jobs/{JOB}/" + "x/" * 70 + "x"), member("settings/other.yaml"),
]  # fmt: skip


@pytest.mark.parametrize("trick", TRICKS, ids=lambda trick: repr(trick[0].name[:30]) + trick[0].type.decode())
def test_tricks_with_paths_and_links_are_refused(
    saved: Path, tmp_path: Path, trick: tuple[tarfile.TarInfo, bytes]
) -> None:
    assert "take another" in refused(rewritten(saved, tmp_path / "evil.tar", trick), tmp_path).lower()
    assert not (tmp_path / "evil").exists()


def test_a_backup_that_was_cut_off_is_refused_wherever_that_was(saved: Path, tmp_path: Path) -> None:
    whole, cut = saved.read_bytes(), tmp_path / "cut.tar"
    for part in (0.0, 0.1, 0.3, 0.5, 0.7):
        cut.write_bytes(whole[: int(len(whole) * part)])
        refused(cut, tmp_path)


def test_what_is_missing_or_stands_behind_the_end_is_refused(saved: Path, tmp_path: Path) -> None:
    assert "missing" in refused(rewritten(saved, tmp_path / "a.tar", without="identity/owner.json"), tmp_path)
    assert "holds no database" in refused(_with_manifest(saved, tmp_path, b'"db/raas.db"', b'"db/raas.xy"'), tmp_path)
    with tarfile.open(saved, "a") as tar:
        tar.addfile(*(lambda header, data: (header, io.BytesIO(data)))(*member(f"jobs/{JOB}/late")))
    assert "behind the end" in refused(saved, tmp_path)


def _with_manifest(saved: Path, folder: Path, old: bytes, new: bytes) -> Path:
    changed = folder / "changed.tar"
    with tarfile.open(changed, "w") as tar:
        for header, content in members(saved):
            text = content.replace(old, new) if header.name == manifest.NAME else content
            header.size = len(text)
            tar.addfile(header, io.BytesIO(text))
    return changed


def test_a_newer_version_is_refused_before_anything_is_touched(appliance: Paths, tmp_path: Path) -> None:
    store = Store(appliance.database)
    store._db.execute("PRAGMA user_version = 999")
    store.close()
    backup.write(Source(appliance, appliance.config, 0.0), tmp_path / "raas.tar")
    assert "schema 999" in refused(tmp_path / "raas.tar", tmp_path)


def test_a_newer_format_is_refused(saved: Path, tmp_path: Path) -> None:
    assert "Update" in refused(_with_manifest(saved, tmp_path, b'"format": 1', b'"format": 2'), tmp_path)


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_changed_byte_is_refused_or_changes_nothing(saved: Path, tmp_path: Path, data: st.DataObject) -> None:
    whole = bytearray(saved.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= data.draw(st.integers(1, 255))
    (tmp_path / "bad.tar").write_bytes(whole)
    good, bad = (Paths.of(tmp_path / f"{place}-{which}", tmp_path / "run") for which in ("good", "bad"))
    try:
        restore.restore(tmp_path / "bad.tar", Target(bad, bad.config))
    except BadBackup:
        assert sorted(path.name for path in bad.data.iterdir()) == ["lock"]
    else:
        restore.restore(saved, Target(good, good.config))
        assert files(bad) == files(good)
        assert bad.database.read_bytes() == good.database.read_bytes()


def test_the_commands_save_and_restore(appliance: Paths, tmp_path: Path) -> None:
    def raas(data: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "appliance.cli", "--data", str(data), "--runtime-root", str(tmp_path / "run")]
        return subprocess.run([*command, *arguments], cwd=REPOSITORY, capture_output=True, text=True, timeout=60)

    file = str(tmp_path / "raas.tar")
    assert "3 jobs" in raas(appliance.data, "backup", file).stdout
    assert "3 jobs are back" in raas(tmp_path / "fresh", "restore", file).stdout
    again = raas(tmp_path / "fresh", "restore", file)
    assert again.returncode == 1
    assert "--replace" in again.stderr
