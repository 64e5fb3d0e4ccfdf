"""Preparing a source, seen from the runner: every level of isolation, left-overs, and what must stay as it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.errors import BadSource
from appliance.intake import isolation
from tests import host_watch
from tests.servers import git_server
from tests.servers.git_server import GitServer, publish
from tests.submissions import RUN, Bench, zip_of

# As an ordinary user: what counts is that there is no capability; the files of this checkout stay readable.
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
# A user namespace in which no further one may be made, and no capability to do without.
BARE = ["unshare", "--user", "--map-root-user", "sh", "-c",
        'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all "$@"', "sh"]  # fmt: skip


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    folder = tmp_path_factory.mktemp("repositories")
    publish(folder, "good.git", {"run.py": RUN})
    with git_server.serve(folder) as running:
        yield running


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to take rights away")
@pytest.mark.parametrize(
    ("wrapper", "level"), [([], "root"), (POWERLESS, "user"), (BARE, "limits")], ids=["root", "user", "limits"]
)
def test_sources_are_prepared_at_each_level(server: GitServer, tmp_path: Path, wrapper: list[str], level: str) -> None:
    root = Path(__file__).parents[2]
    command = [*wrapper, sys.executable, "-m", "tests.prepare_once", str(tmp_path / "bench"), server.url("good.git")]
    with host_watch.unchanged():
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["level"] == level or (level == "user" and found["level"] == "limits")
    assert found["git"]["files"] == found["archive"]["files"] == {"run.py": RUN}
    assert "no repository at" in found["missing"]["error"]
    assert "larger than 2 MiB" in found["too big"]["error"]


def test_what_a_killed_appliance_left_is_replaced(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    job = bench.archive(zip_of({"run.py": RUN}))
    for left_over in ("source", "source.part"):
        (bench.paths.job(job.id) / left_over).mkdir(parents=True)
        (bench.paths.job(job.id) / left_over / "old.py").touch()
    bench.prepare(job)
    assert bench.files(job) == {"run.py": RUN}
    assert [path.name for path in bench.paths.job(job.id).iterdir()] == ["source"]


def test_a_refused_second_attempt_keeps_the_first_ones_results(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    job = bench.archive(b"no archive")
    results = bench.paths.attempt(job.id, 1)
    results.mkdir(parents=True)
    (results / "report.json").write_text("{}")
    with pytest.raises(BadSource):
        bench.prepare(job)
    assert [path.name for path in bench.paths.job(job.id).iterdir()] == ["attempt-1"]


def test_a_full_disk_is_told_as_the_disks_fault_not_the_submitters(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small disk")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", small], check=True)
    try:
        bench = Bench(small)
        job = bench.archive(zip_of({"run.py": RUN, "data": bytes(4 << 20)}, compression=8))
        with pytest.raises(OSError, match="No space left"):
            bench.prepare(job)
        assert not bench.paths.job(job.id).exists()
        bench.store.close()
    finally:
        subprocess.run(["umount", "--lazy", small], check=True)


def test_two_sources_are_prepared_at_the_same_time(server: GitServer, tmp_path: Path) -> None:
    bench = Bench(tmp_path, allow_http=True, allow_private=True)
    jobs = [
        bench.git(server.url("good.git")),
        bench.archive(zip_of({"run.py": RUN})),
        bench.git(server.url("good.git")),
    ]
    threads = [threading.Thread(target=bench.prepare, args=(job,)) for job in jobs]
    with host_watch.unchanged():
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [bench.files(job) for job in jobs] == [{"run.py": RUN}] * 3


def test_the_level_is_known_and_stays(tmp_path: Path) -> None:
    assert isolation.level() in {"root", "user", "limits"}
    assert isolation.level() is isolation.level()
