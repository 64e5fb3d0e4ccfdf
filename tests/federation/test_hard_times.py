"""The bucket gone, the key revoked, the disk full, in the middle of a hundred jobs: each result arrives once, local jobs go on."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.config import StorageSection
from appliance.federation import pruning
from appliance.federation.entries import Done, decode
from appliance.federation.keys import Keys
from appliance.federation.requests import Status
from appliance.jobs import State
from appliance.running import results, retention
from tests.federation.outpost import Outpost, Sky, jobs_in, outposts, run

JOBS = 100
FEWER = 40


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[tuple[Sky, list[Outpost]]]:
    sky, posts = outposts(tmp_path, 4)
    yield sky, posts
    for post in posts:
        post.close()


def begun(sky: Sky, posts: list[Outpost], count: int) -> list[str]:
    """Jobs for the fleet, a third of which have been run."""
    jobs = [posts[0].submit(f"job {number}") for number in range(count)]
    run(sky, posts, 5000.0, lambda: sum(sum(post.ran.values()) for post in posts) >= count // 3)
    return jobs


def all_arrived_once(sky: Sky, posts: list[Outpost], jobs: list[str]) -> None:
    """Everything is home: as often in the bucket as here, and what is here is what was run there."""
    home = posts[0]
    run(sky, posts, 40_000.0, lambda: not home.store.away())
    assert [home.store.get(job).state for job in jobs] == [State.SUCCEEDED] * len(jobs)
    for number, job in enumerate(jobs):
        assert (home.paths.away(job) / results.OUTPUT).read_text().startswith(f"job {number} on pi")
    logs = jobs_in(sky, Keys(home.roster.fleet))
    ends = Counter(
        sum(isinstance(decode(home.roster.open(sealed)[0]), Done) for sealed in log) for log in logs.values()
    )
    assert ends == {1: len(jobs)}


def test_ten_minutes_without_the_bucket(fleet: tuple[Sky, list[Outpost]]) -> None:
    sky, posts = fleet
    jobs = begun(sky, posts, JOBS)
    sky.verdict = Status.LOST
    own = [post.submit_here("its own") for post in posts[1:]]
    run(sky, posts, 600.0)
    assert [post.store.get(job).state for post, job in zip(posts[1:], own, strict=True)] == [State.SUCCEEDED] * 3
    sky.verdict = None
    all_arrived_once(sky, posts, jobs)


def test_credentials_that_are_revoked_and_given_back(fleet: tuple[Sky, list[Outpost]]) -> None:
    sky, posts = fleet
    jobs = begun(sky, posts, FEWER)
    sky.verdict = Status.DENIED
    own = [post.submit_here("its own") for post in posts[1:]]
    run(sky, posts, 3000.0)  # so long that every lease runs out
    assert [post.store.get(job).state for post, job in zip(posts[1:], own, strict=True)] == [State.SUCCEEDED] * 3
    assert any("refuses" in complaint.text for complaint in posts[1].ledger.complaints())
    sky.verdict = None
    all_arrived_once(sky, posts, jobs)


def test_a_disk_without_room_for_results(tmp_path: Path) -> None:
    with small_disk(tmp_path / "pi0"):
        sky, posts = outposts(tmp_path, 4)
        home = posts[0]
        jobs = begun(sky, posts, FEWER)
        ballast = filled(home.paths.federation)
        run(sky, posts, 1200.0)
        assert any("No space left" in error for error in home.errors)
        assert not list(home.paths.federation.rglob("*.partial")), "a full disk is not made fuller"
        ballast.unlink()
        all_arrived_once(sky, posts, jobs)
        for post in posts:
            post.close()


def test_far_results_make_room_as_local_ones_do(fleet: tuple[Sky, list[Outpost]]) -> None:
    """The oldest first, one at a time, never the newest or what is pinned, and its record stays."""
    sky, posts = fleet
    home = posts[0]
    jobs = []
    for number in range(4):
        sky.now_s += 1.0
        jobs.append(home.submit(f"job {number}"))
    assert home.store.clearable(0, 10) == [], "they are not home"
    run(sky, posts, 40_000.0, lambda: not home.store.away())
    home.store.pin(jobs[0], True, 1.0)
    rules = StorageSection(clear_above_percent=0.5, keep_newest=1)
    gone = [retention.make_room(home.store, home.paths, rules) for _ in range(4)]
    assert sorted(job for cleared in gone for job in cleared) == jobs[1:3]
    assert [len(cleared) for cleared in gone] == [1, 1, 0, 0]
    pruning.prune(home.store, home.paths)
    kept = {job: {path.name for path in home.paths.away(job).iterdir()} for job in jobs}
    assert kept[jobs[1]] == kept[jobs[2]] == {results.REPORT, results.OUTPUT}
    assert results.BUNDLE in kept[jobs[0]] & kept[jobs[3]]


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def filled(folder: Path) -> Path:
    """A file that leaves no room but what the database has already."""
    path = folder / "ballast"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return path
