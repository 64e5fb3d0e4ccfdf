"""The order of the queue: turns, the owner's wish, interrupted jobs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance import fair_share
from appliance.errors import Conflict
from appliance.fair_share import Place
from appliance.jobs import Reason, State
from appliance.store import NewJob, Store

PLACES = st.lists(
    st.tuples(st.sampled_from(["a@1", "b@1", "a@2", "c@3"]), st.integers(0, 3), st.booleans()), max_size=12
).map(lambda rows: [Place(f"j{n:02}", who, float(n), priority, again) for n, (who, priority, again) in enumerate(rows)])


def test_whoever_sends_many_waits_between_the_others() -> None:
    waiting = [Place(f"a{n}", "ann@1", n) for n in range(3)] + [Place("b0", "bob@2", 5.0), Place("c0", "cy@3", 6.0)]
    assert fair_share.order(waiting, []) == ["a0", "b0", "c0", "a1", "a2"]


def test_whoever_is_driving_has_had_a_turn() -> None:
    waiting = [Place("a0", "ann@1", 0.0), Place("b0", "bob@2", 1.0)]
    assert fair_share.order(waiting, ["ann@1"]) == ["b0", "a0"]


def test_another_name_is_no_further_turn() -> None:
    waiting = [Place("a0", "ann@1", 0.0), Place("a1", "ann's twin@1", 1.0), Place("b0", "bob@2", 2.0)]
    assert fair_share.order(waiting, []) == ["a0", "b0", "a1"]


@given(PLACES, st.lists(st.sampled_from(["a@1", "c@3"]), max_size=2))
def test_everybody_is_in_the_order_once_and_ones_own_jobs_keep_theirs(waiting: list[Place], busy: list[str]) -> None:
    order = fair_share.order(waiting, busy)
    assert sorted(order) == sorted(place.id for place in waiting)
    plain = {place.id: place for place in waiting if not place.again and place.priority == 0}
    for who in {fair_share.somebody(place.submitter) for place in plain.values()}:
        own = [j for j in order if j in plain and fair_share.somebody(plain[j].submitter) == who]
        assert own == sorted(own)


@given(PLACES, st.integers(1, 15), st.data())
def test_a_job_that_the_owner_moves_stands_where_it_was_put(
    waiting: list[Place], position: int, data: st.DataObject
) -> None:
    if not waiting:
        return
    waiting = [Place(place.id, place.submitter, place.key) for place in waiting]
    before = fair_share.order(waiting, [])
    moved = data.draw(st.sampled_from(before))
    priorities = fair_share.with_moved(before, moved, position)
    after = fair_share.order([Place(p.id, p.submitter, p.key, priorities[p.id]) for p in waiting], [])
    assert after.index(moved) == min(position, len(before)) - 1
    others = [job for job in before if job != moved]
    assert [job for job in after if job != moved][: position - 1] == others[: position - 1]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "raas.db")


def queued(store: Store, who: str, now_s: float) -> str:
    return store.add(NewJob("archive", "x.zip", who), now_s).id


def test_the_owner_puts_a_job_first_and_an_interrupted_one_is_before_it(store: Store) -> None:
    first, second = queued(store, "ann@1", 1.0), queued(store, "ann@1", 2.0)
    store.reorder(second, 1, 3.0)
    assert [job.id for job in store.queue()] == [second, first]
    store.claim(4.0)
    for state in (State.WAITING_FOR_ROBOT, State.RUNNING):
        store.move(second, state, 5.0)
    store.reorder(first, 1, 6.0)
    store.put_back(second, 7.0, Reason.INTERRUPTED, attempt=2)
    assert [job.id for job in store.queue()] == [second, first]


def test_only_a_waiting_job_has_a_place_to_change(store: Store) -> None:
    job = queued(store, "ann@1", 1.0)
    store.claim(2.0)
    with pytest.raises(Conflict, match="doesn't wait"):
        store.reorder(job, 1, 3.0)


def test_a_pinned_job_is_not_cleared(store: Store) -> None:
    kept, gone = queued(store, "ann@1", 1.0), queued(store, "ann@1", 2.0)
    for job in (kept, gone):
        store.request_cancel(job, 3.0)
    store.pin(kept, True, 4.0)
    assert [job.id for job in store.clearable(0, 10)] == [gone]
    store.pin(kept, False, 5.0)
    assert len(store.clearable(0, 10)) == 2
    assert [job.id for job in store.clearable(1, 10)] == [kept]
