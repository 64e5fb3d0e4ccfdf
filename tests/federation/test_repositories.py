"""A repository for the fleet: fetched once and confined, packed always alike, and the job told what is wrong with it."""

from __future__ import annotations

import hashlib
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from appliance.errors import BadSource, Cancelled
from appliance.federation.desk import Submission
from appliance.federation.ledger import Ledger
from appliance.federation.local_desk import Clocks, LocalDesk
from appliance.federation.rules import Rules
from appliance.federation.wish import Wish
from appliance.intake import packing
from appliance.jobs import Reason, State
from appliance.running import packing_line
from appliance.store import AWAY, Job, NewJob, Store
from tests import host_watch
from tests.patience import eventually
from tests.servers import git_server
from tests.servers.git_server import GitServer, git, publish
from tests.submissions import RUN, Bench

FILES: dict[str, str | bytes] = {"run.py": RUN, "package/module.py": "x = 1\n", "data.bin": bytes(5000)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    folder = tmp_path_factory.mktemp("repositories")
    for name in ("one.git", "two.git"):
        publish(folder, name, FILES)
    with git_server.serve(folder) as running:
        yield running


class Office(Bench):
    """Where repositories are fetched for the fleet, and the desk that sends them."""

    def __init__(self, folder: Path, **fetch: object) -> None:
        super().__init__(folder, allow_http=True, allow_private=True, **fetch)
        self.ledger = Ledger(self.paths.database)
        self.desk = LocalDesk(self.ledger, self.store, self.paths, Rules(), 450.0, Clocks())

    def ask(self, url: str, ref: str = "") -> Job:
        wish = msgspec.json.encode(Wish())
        return self.store.add(NewJob("git", url, "ann", ref=ref, place=AWAY, wish=wish), time.time())

    def pack(self, job: Job, cancelled: Callable[[], bool] = lambda: False) -> str:
        return packing.pack(job, self.paths, self.config, cancelled)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path)


def test_equal_trees_become_equal_bytes(server: GitServer, office: Office) -> None:
    jobs = [office.ask(server.url(name)) for name in ("one.git", "two.git")]
    with host_watch.unchanged():
        commits = [office.pack(job) for job in jobs]
    assert commits == [git(server.folder / name, "rev-parse", "main") for name in ("one.git", "two.git")]
    first, second = (office.paths.upload(job.id) for job in jobs)
    assert first.read_bytes() == second.read_bytes()
    with tarfile.open(first) as archive:
        assert archive.getnames() == ["data.bin", "package", "package/module.py", "run.py"]
        assert {(entry.uid, entry.uname, entry.mtime) for entry in archive} == {(0, "", 0)}
    assert not any(office.paths.job(job.id).exists() for job in jobs)


def test_it_is_sent_when_it_is_packed_and_not_before(server: GitServer, office: Office) -> None:
    job = office.ask(server.url("one.git"), "main")
    assert office.desk.unsent() is None
    with working(office, office.pack):
        submission: Submission = eventually(office.desk.unsent, what="packed")
    body = office.paths.upload(job.id).read_bytes()
    assert submission.spec.archive.sha256 == hashlib.sha256(body).hexdigest()
    assert office.store.get(job.id).commit_id == git(server.folder / "one.git", "rev-parse", "main")


def test_a_repository_that_cannot_be_fetched_fails_its_job_and_holds_up_no_other(
    server: GitServer, office: Office
) -> None:
    bad, good = office.ask(server.url("nothing.git")), office.ask(server.url("one.git"))
    with working(office, office.pack):
        eventually(office.desk.unsent, what="the other one is sent")
    ended = office.store.get(bad.id)
    assert (ended.state, ended.reason) == (State.FAILED, Reason.BAD_SOURCE)
    assert "no repository at" in ended.detail
    assert [job.id for job in office.store.away()] == [good.id]
    assert {path.name for path in office.paths.inbox.iterdir()} == {good.id}


def test_a_failure_of_the_appliance_is_told_and_tried_again(office: Office) -> None:
    job = office.ask("https://example.org/one.git")

    def broken(_job: Job, _cancelled: Callable[[], bool]) -> str:
        raise OSError(28, "No space left on device")

    with working(office, broken):
        eventually(lambda: "No space left" in office.store.get(job.id).detail, what="told")
    assert packing_line.waiting(office.store)[0].id == job.id


def test_a_job_that_is_cancelled_while_it_is_fetched_never_leaves(office: Office) -> None:
    job = office.ask("https://example.org/one.git")

    def endless(_job: Job, cancelled: Callable[[], bool]) -> str:
        eventually(cancelled, what="cancelled")
        raise Cancelled("given up")

    with working(office, endless):
        eventually(lambda: "is fetched" in office.store.get(job.id).detail, what="begun")
        office.store.request_cancel(job.id, time.time())
        assert office.desk.unsent() is None
    assert office.store.get(job.id).state is State.CANCELLED


def test_a_repository_that_no_robot_would_take_is_refused(server: GitServer, tmp_path: Path) -> None:
    publish(server.folder, "large.git", {"run.py": RUN, "noise.bin": hashlib.shake_128(b"x").digest(3 << 20)})
    office = Office(tmp_path, max_upload_mb=2)
    job = office.ask(server.url("large.git"))
    with pytest.raises(BadSource, match="larger than 2 MiB packed"):
        office.pack(job)
    assert list(office.paths.inbox.iterdir()) == []


@contextmanager
def working(office: Office, pack: packing_line.Pack) -> Iterator[None]:
    """A packing line in a thread."""
    stopping = threading.Event()

    def serve() -> None:
        with closing(Store(office.paths.database)) as store:
            packing_line.serve(store, pack, stopping)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
