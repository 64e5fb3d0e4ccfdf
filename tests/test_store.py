"""The job store: durable, raced for, and deaf to rows that can't be jobs."""

from __future__ import annotations

import multiprocessing
import multiprocessing.synchronize
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from appliance import database, jobs
from appliance.database import DatabaseError, Migration
from appliance.errors import Conflict, NotFound
from appliance.jobs import Reason, State
from appliance.store import EVENTS_KEPT, NewJob, Store

NEW = NewJob("archive", "x.zip", "ann")
ROUNDS = 40


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "raas.db")
    yield store
    store.close()


def _to_running(store: Store, at_s: float = 1.0) -> str:
    job = store.claim(at_s)
    assert job is not None
    store.move(job.id, State.WAITING_FOR_ROBOT, at_s)
    store.move(job.id, State.RUNNING, at_s, started_at=at_s)
    return job.id


def test_jobs_are_claimed_in_the_order_of_submission(store: Store) -> None:
    first, second = store.add(NEW, 1.0), store.add(NEW, 2.0)
    claimed = [store.claim(3.0), store.claim(3.0), store.claim(3.0)]
    assert [job.id if job else None for job in claimed] == [first.id, second.id, None]


def test_a_job_is_there_for_another_process_when_add_returns(store: Store, tmp_path: Path) -> None:
    job = store.add(NEW, 1.0)
    other = sqlite3.connect(tmp_path / "raas.db")
    assert other.execute("SELECT id FROM job").fetchall() == [(job.id,)]


def test_an_illegal_move_is_a_conflict_and_changes_nothing(store: Store) -> None:
    job = store.add(NEW, 1.0)
    with pytest.raises(Conflict, match="can't become running"):
        store.move(job.id, State.RUNNING, 2.0)
    assert store.get(job.id) == job


def test_columns_that_never_change_are_refused(store: Store) -> None:
    job = store.add(NEW, 1.0)
    with pytest.raises(ValueError, match="submitter never changes"):
        store.move(job.id, State.CANCELLED, 2.0, submitter="eve")
    assert store.get(job.id).state is State.QUEUED


def test_cancelling_a_queued_job_ends_it_and_an_active_one_marks_it(store: Store) -> None:
    first, second = store.add(NEW, 1.0), store.add(NEW, 2.0)
    store.claim(3.0)
    assert store.request_cancel(second.id, 4.0).state is State.CANCELLED
    marked = store.request_cancel(first.id, 4.0)
    assert (marked.state, marked.cancel_requested) == (State.PREPARING, True)
    with pytest.raises(Conflict, match="already ended"):
        store.request_cancel(second.id, 5.0)


def test_an_interrupted_job_goes_to_the_front_as_another_attempt(store: Store) -> None:
    store.add(NEW, 1.0)
    running = _to_running(store)
    waiting = store.add(NEW, 0.5)
    store.put_back(running, 9.0, Reason.INTERRUPTED, "because", attempt=2)
    assert [job.id for job in store.queue()] == [running, waiting.id]
    again = store.get(running)
    assert (again.attempt, again.started_at, again.detail) == (2, None, "because")


def test_a_job_put_back_keeps_its_place(store: Store) -> None:
    first, second = store.add(NEW, 1.0), store.add(NEW, 2.0)
    store.claim(3.0)
    store.put_back(first.id, 4.0, Reason.ENGINE_UNAVAILABLE)
    assert [job.id for job in store.queue()] == [first.id, second.id]


def test_a_job_that_is_to_be_cancelled_is_not_queued_again(store: Store) -> None:
    store.add(NEW, 1.0)
    running = _to_running(store)
    store.request_cancel(running, 2.0)
    assert store.put_back(running, 3.0, Reason.INTERRUPTED, attempt=2).state is State.CANCELLED


@pytest.mark.parametrize(
    ("column", "value"),
    [("id", "../../etc"), ("state", "owned"), ("reason", "owned"), ("attempt", 77), ("attempt", -1)],
)
def test_a_row_that_cant_be_a_job_is_ignored(store: Store, tmp_path: Path, column: str, value: object) -> None:
    bad, good = store.add(NEW, 1.0), store.add(NEW, 2.0)
    hostile = sqlite3.connect(tmp_path / "raas.db", isolation_level=None)
    hostile.execute(f"UPDATE job SET {column} = ? WHERE id = ?", (value, bad.id))
    assert [job.id for job in store.recent()] == [good.id]
    with pytest.raises(NotFound):
        store.get(str(value) if column == "id" else bad.id)
    claimed = store.claim(3.0)
    assert claimed is not None
    assert claimed.id == good.id
    assert store.claim(3.0) is None


def test_changed_tells_of_other_connections_only(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "raas.db")
    store.changed()
    store.add(NEW, 1.0)
    assert not store.changed()
    other.add(NEW, 1.0)
    assert store.changed()
    assert not store.changed()
    other.close()


def test_events_resume_where_a_reader_broke_off_and_are_not_kept_for_ever(store: Store) -> None:
    job = store.add(NEW, 1.0)
    seen = store.last_event()
    for number in range(20):
        store.explain(job.id, 2.0, Reason.BEHIND_OTHERS, str(number))
    store.explain(job.id, 2.0, Reason.BEHIND_OTHERS, "19")  # nothing new: no event
    assert [event.seq for event in store.events_after(seen)] == list(range(seen + 1, seen + 21))
    with database.transaction(store._db) as db:
        db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'event'", (2 * EVENTS_KEPT,))
    store.explain(job.id, 2.0, Reason.NONE)
    assert len(store.events_after(0)) == 1


def test_facts_are_events_unless_told_not_to_be(store: Store) -> None:
    store.set_fact("a", "1", 1.0)
    store.set_fact("b", "1", 1.0, announce=False)
    store.set_fact("a", "1", 2.0)
    assert (store.fact("a"), store.fact("b"), store.fact("c", "none")) == ("1", "1", "none")
    assert [event.kind for event in store.events_after(0)] == ["queue"]


# --- several processes ------------------------------------------------------------------------------------------


def _claim_all(path: Path, start: multiprocessing.synchronize.Barrier, won: multiprocessing.Queue[list[str]]) -> None:
    store = Store(path)
    mine = []
    for _ in range(ROUNDS):
        start.wait()  # all at the same moment, in every round
        job = store.claim(2.0)
        mine.append(job.id if job else "")
    won.put(mine)
    store.close()


def _spawn(target: object, arguments: list[tuple[object, ...]]) -> list[multiprocessing.Process]:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=target, args=args) for args in arguments]  # type: ignore[attr-defined]
    for process in processes:
        process.start()
    return processes


def test_racing_claimers_never_get_the_same_job(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    path, won, start = tmp_path / "raas.db", context.Queue(), context.Barrier(3)
    store = Store(path)
    queued = {store.add(NEW, float(number)).id for number in range(3 * ROUNDS - 5)}
    processes = _spawn(_claim_all, [(path, start, won)] * 3)
    shares = [won.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(10)
    claimed = [job_id for share in shares for job_id in share if job_id]
    assert len(claimed) == len(queued)
    assert set(claimed) == queued
    store.close()


def _open_together(path: Path, start: multiprocessing.synchronize.Barrier, said: multiprocessing.Queue[str]) -> None:
    start.wait()
    try:
        Store(path).add(NEW, 1.0)
        said.put("")
    except Exception as error:  # noqa: BLE001 - handed to the test
        said.put(repr(error))


def test_processes_may_make_the_database_at_the_same_time(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    said, start = context.Queue(), context.Barrier(4)
    processes = _spawn(_open_together, [(tmp_path / "raas.db", start, said)] * 4)
    assert [said.get(timeout=60) for _ in processes] == [""] * 4
    for process in processes:
        process.join(10)
    assert Store(tmp_path / "raas.db").count() == 4


# --- migrations -------------------------------------------------------------------------------------------------

OLD = Migration(1, "0001_a.sql", "CREATE TABLE a (x INTEGER); INSERT INTO a\nVALUES (1);")
NEWER = Migration(2, "0002_b.sql", "ALTER TABLE a ADD COLUMN y TEXT NOT NULL DEFAULT 'old';")
BROKEN = Migration(2, "0002_b.sql", "INSERT INTO a VALUES (2); INSERT INTO nowhere VALUES (1);")


def test_migrations_run_once_in_order_and_keep_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    database.connect(path, [OLD]).close()
    database.connect(path, [OLD, NEWER]).close()
    db = database.connect(path, [OLD, NEWER])
    assert [tuple(row) for row in db.execute("SELECT * FROM a")] == [(1, "old")]
    assert database.version(db) == 2


def test_a_migration_that_fails_leaves_the_old_schema(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    database.connect(path, [OLD]).close()
    with pytest.raises(DatabaseError, match="can't be used"):
        database.connect(path, [OLD, BROKEN])
    db = database.connect(path, [OLD])
    assert [tuple(row) for row in db.execute("SELECT * FROM a")] == [(1,)]


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    database.connect(path, [OLD, NEWER]).close()
    with pytest.raises(DatabaseError, match="newer version"):
        database.connect(path, [OLD])


def test_the_packaged_migrations_are_numbered_without_a_gap() -> None:
    assert [step.number for step in database.migrations()] == list(range(1, len(database.migrations()) + 1))


def test_a_file_that_is_no_database_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "raas.db"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(DatabaseError, match=str(path)):
        Store(path)


# --- any sequence of operations ------------------------------------------------------------------------------------


class StoreMachine(RuleBasedStateMachine):
    """Whatever is called in whatever order: states change by the rules only, and no job is lost."""

    ids = Bundle("ids")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="raas-store-")
        self.store = Store(Path(self.folder.name) / "raas.db")
        self.now_s = 0.0
        self.seen: dict[str, State] = {}

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule(target=ids)
    def add(self) -> str:
        self.now_s += 1.0
        job = self.store.add(NEW, self.now_s)
        self.seen[job.id] = job.state
        return job.id

    @rule()
    def claim(self) -> None:
        first = self.store.queue()[:1]
        job = self.store.claim(self.now_s)
        assert ([job.id] if job else []) == [waiting.id for waiting in first]

    @rule(job_id=ids, state=st.sampled_from(State))
    def move(self, job_id: str, state: State) -> None:
        before = self.store.get(job_id).state
        try:
            self.store.move(job_id, state, self.now_s)
        except Conflict:
            assert not jobs.may_follow(before, state)
        else:
            assert jobs.may_follow(before, state)

    @rule(job_id=ids)
    def cancel(self, job_id: str) -> None:
        before = self.store.get(job_id)
        try:
            after = self.store.request_cancel(job_id, self.now_s)
        except Conflict:
            assert before.state.is_final
        else:
            assert after.state is (State.CANCELLED if before.state is State.QUEUED else before.state)

    @rule(job_id=ids, attempt=st.sampled_from([None, 2]))
    def put_back(self, job_id: str, attempt: int | None) -> None:
        before = self.store.get(job_id)
        try:
            after = self.store.put_back(job_id, self.now_s, Reason.INTERRUPTED, attempt=attempt)
        except Conflict:
            assert not jobs.may_follow(before.state, State.QUEUED)
        else:
            assert after.state is (State.CANCELLED if before.cancel_requested else State.QUEUED)
            if attempt and after.state is State.QUEUED:
                assert self.store.queue()[0].id == job_id

    @invariant()
    def no_job_is_lost_and_final_states_stay(self) -> None:
        assert self.store.count() == len(self.seen)
        for job in self.store.recent(1000):
            assert not self.seen[job.id].is_final or job.state is self.seen[job.id]
            self.seen[job.id] = job.state
        listed = [*self.store.queue(), *self.store.active()]
        assert {job.id for job in listed} == {job_id for job_id, state in self.seen.items() if not state.is_final}


TestAnySequence = StoreMachine.TestCase
TestAnySequence.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
