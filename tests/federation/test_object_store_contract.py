"""One contract for every object store: the model, SeaweedFS, MiniStack."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from appliance.federation.keys import Keys
from appliance.federation.model_store import ModelStore
from appliance.federation.probe import UnfitStore, probe
from appliance.federation.requests import Fetch, Get, GetMany, List, Put, Reply, Request, Send, Status
from appliance.federation.s3_store import PART_BYTES, S3Store
from appliance.federation.station import same_bytes
from tests.federation import servers

Perform = Callable[[Request], Reply]


def model() -> Perform:
    store = ModelStore(lambda path: Path(path).read_bytes(), lambda path, body: _write(Path(path), body))
    return lambda request: store.perform(request, time.time())


def _write(path: Path, body: bytes) -> None:
    path.write_bytes(body)


@pytest.fixture(scope="module", params=["model", "seaweedfs", "ministack"])
def perform(request: pytest.FixtureRequest) -> Iterator[Perform]:
    if request.param == "model":
        yield model()
        return
    with getattr(servers, request.param)() as where:
        store = S3Store(where)
        yield store.perform
        store.close()


@pytest.fixture
def root() -> str:
    return f"f/contract/{secrets.token_hex(6)}/"


def test_what_was_written_is_read_back_with_times_of_the_server(perform: Perform, root: str) -> None:
    written = perform(Put(root + "a", b"hello"))
    found = perform(Get(root + "a"))
    assert (found.status, found.body, found.etag) == (Status.OK, b"hello", written.etag)
    assert abs(found.date_s - time.time()) < 5
    assert 0 <= found.date_s - found.written_s < 5


def test_an_absent_object_is_missing(perform: Perform, root: str) -> None:
    assert perform(Get(root + "a")).status is Status.MISSING


def test_only_the_first_creation_succeeds(perform: Perform, root: str) -> None:
    assert perform(Put(root + "a", b"1", create=True)).status is Status.OK
    assert perform(Put(root + "a", b"2", create=True)).status is Status.TAKEN
    assert perform(Put(root + "a", b"1", create=True)).status is Status.TAKEN
    assert perform(Get(root + "a")).body == b"1"


def test_of_many_creators_at_once_exactly_one_wins(perform: Perform, root: str) -> None:
    def create(number: int) -> Status:
        while True:
            status = perform(Put(root + "slot", b"%d" % number, create=True)).status
            if status is not Status.CONFLICT:
                return status

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(create, range(16)))
    assert sorted(outcomes) == [Status.OK] + [Status.TAKEN] * 15
    assert perform(Get(root + "slot")).body == b"%d" % outcomes.index(Status.OK)


def test_a_swap_needs_the_present_etag(perform: Perform, root: str) -> None:
    first = perform(Put(root + "a", b"1")).etag
    assert perform(Put(root + "a", b"2", if_etag="0" * 32)).status is Status.TAKEN
    second = perform(Put(root + "a", b"2", if_etag=first))
    assert second.status is Status.OK
    assert perform(Put(root + "a", b"3", if_etag=first)).status is Status.TAKEN
    assert perform(Get(root + "a")).body == b"2"


def test_a_swap_of_nothing_is_refused(perform: Perform, root: str) -> None:
    assert perform(Put(root + "a", b"1", if_etag="0" * 32)).status is Status.TAKEN
    assert perform(Get(root + "a")).status is Status.MISSING


def test_an_unchanged_object_is_not_sent_again(perform: Perform, root: str) -> None:
    etag = perform(Put(root + "a", b"1")).etag
    assert perform(Get(root + "a", etag)).status is Status.UNCHANGED
    perform(Put(root + "a", b"2"))
    assert perform(Get(root + "a", etag)).body == b"2"


def test_names_are_listed_in_order_page_by_page(perform: Perform, root: str) -> None:
    names = [f"{root}q/{job}/{slot:04d}" for job in ("01A", "01B", "01C") for slot in range(3)]
    for name in reversed(names):
        perform(Put(name, name.encode()))
    perform(Put(root + "z", b""))
    seen: list[str] = []
    after = ""
    while True:
        page = perform(List(root + "q/", after, 4))
        assert len(page.rows) <= 4
        seen += [row.key for row in page.rows]
        if not page.truncated:
            break
        after = page.rows[-1].key
    assert seen == names
    tail = perform(List(root + "q/", f"{root}q/01B/0001"))
    assert [row.key for row in tail.rows] == names[5:]


def test_a_page_that_starts_just_before_a_job_shows_all_of_it(perform: Perform, root: str) -> None:
    names = [f"{root}q/{job}/{slot:04d}" for job in ("01AX", "01BX") for slot in range(2)]
    for name in names:
        perform(Put(name, b"1"))
    assert [row.key for row in perform(List(root + "q/", root + "q/01B")).rows] == names[2:]
    assert [row.key for row in perform(List(root + "q/", root + "q/01AX/9999")).rows] == names[2:]


def test_a_listing_shows_size_etag_and_time(perform: Perform, root: str) -> None:
    written = perform(Put(root + "a", b"12345"))
    (row,) = perform(List(root)).rows
    assert (row.size_bytes, row.etag) == (5, written.etag)
    assert abs(row.written_s - perform(Get(root + "a")).written_s) < 1.01
    assert same_bytes(b"12345", row.etag)


def test_several_objects_are_read_at_once(perform: Perform, root: str) -> None:
    for number in range(10):
        perform(Put(f"{root}{number}", b"%d" % number))
    found = perform(GetMany(tuple(f"{root}{number}" for number in (3, 11, 5))))
    assert [reply.status for reply in found.replies] == [Status.OK, Status.MISSING, Status.OK]
    assert found.replies[2].body == b"5"


@pytest.mark.parametrize("size_bytes", [0, 1000, 2 * PART_BYTES + 17])
def test_files_of_any_size_go_there_and_back(perform: Perform, root: str, tmp_path: Path, size_bytes: int) -> None:
    body = secrets.token_bytes(size_bytes)
    digest = hashlib.sha256(body).hexdigest()
    (tmp_path / "up").write_bytes(body)
    sending = Send(root + digest, str(tmp_path / "up"), digest, size_bytes)
    assert perform(sending).status is Status.OK
    assert perform(sending).status is Status.OK
    assert perform(Fetch(root + digest, str(tmp_path / "down"), digest, size_bytes)).status is Status.OK
    assert (tmp_path / "down").read_bytes() == body


def test_a_file_that_is_not_what_it_should_be_is_not_taken(perform: Perform, root: str, tmp_path: Path) -> None:
    perform(Put(root + "a", b"forged"))
    digest = hashlib.sha256(b"right!").hexdigest()
    assert perform(Fetch(root + "a", str(tmp_path / "down"), digest, 6)).status is Status.MISSING
    assert list(tmp_path.iterdir()) == []


def test_the_probe_finds_the_store_fit(perform: Perform) -> None:
    for _ in range(2):  # at each start again
        probe(perform, Keys("contract"), "pi1", time.time())


def test_a_store_that_ignores_conditions_is_refused(root: str) -> None:
    store = model()

    def careless(request: Request) -> Reply:
        return store(Put(request.key, request.body)) if isinstance(request, Put) else store(request)

    with pytest.raises(UnfitStore, match="ignores If-None-Match"):
        probe(careless, Keys("contract"), "pi1")


def test_a_machine_with_a_wrong_clock_is_told_so() -> None:
    with pytest.raises(UnfitStore, match=r"clock is -(3999|400[01]) s off"):
        probe(model(), Keys("contract"), "pi1", time.time() - 4000)
