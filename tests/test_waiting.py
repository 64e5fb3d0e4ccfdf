"""What people are told while they wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance import waiting
from appliance.jobs import Reason, State
from appliance.waiting import Line
from tests.sample_jobs import job

NOW_S = 1000.0


def test_the_only_job_is_next_and_starts_within_seconds() -> None:
    waits = job()
    told = waiting.describe(waits, Line([waits], [], 120.0), NOW_S)
    assert (told.position, told.sentence) == (1, "Next in line; starts in a few seconds at the latest.")


def test_a_running_job_counts_with_what_it_may_still_take() -> None:
    waits, runs = job(), job(State.RUNNING, started_at=NOW_S - 100.0)
    told = waiting.describe(waits, Line([waits], [runs], 120.0), NOW_S)
    assert told.eta_s == pytest.approx(20.0 + waiting.TURNAROUND_S)


def test_jobs_ahead_and_a_prepared_one_count_in_full() -> None:
    runs, ready = job(State.RUNNING, started_at=NOW_S), job(State.PREPARING, reason=Reason.READY)
    first, second = job(), job()
    line = Line([first, second], [runs, ready], 120.0)
    assert [waiting.describe(one, line, NOW_S).position for one in (ready, first, second)] == [1, 2, 3]
    etas = [waiting.describe(one, line, NOW_S).eta_s or 0.0 for one in (ready, first, second)]
    assert etas[0] < etas[1] < etas[2]
    assert etas[1] >= 240.0


def test_while_the_queue_is_held_there_is_a_reason_and_no_estimate() -> None:
    waits = job()
    told = waiting.describe(waits, Line([waits], [], 120.0, hold="Emergency stop by ann."), NOW_S)
    assert (told.sentence, told.eta_s) == ("Next in line. Emergency stop by ann.", None)


def test_an_interrupted_job_says_so() -> None:
    waits = job(reason=Reason.INTERRUPTED, detail="Attempt 1 was interrupted.", attempt=2)
    assert waiting.describe(waits, Line([waits], [], 120.0), NOW_S).sentence.startswith(
        "Attempt 1 was interrupted. Next"
    )


def test_a_finished_job_tells_its_detail() -> None:
    failed = job(State.FAILED, reason=Reason.BAD_SOURCE, detail="There is no run.py.")
    told = waiting.describe(failed, Line([], [], 120.0), NOW_S)
    assert (told.sentence, told.position, told.eta_s) == ("There is no run.py.", None, None)


@given(st.sampled_from(State), st.sampled_from(Reason), st.booleans(), st.floats(0.0, 2000.0))
def test_every_state_and_reason_has_a_sentence_and_no_negative_estimate(
    state: State, reason: Reason, alone: bool, age_s: float
) -> None:
    started_at = NOW_S - age_s if state is State.RUNNING else None
    one = job(state, reason=reason, started_at=started_at)
    others = [] if alone else [job(State.RUNNING, started_at=NOW_S - 1.0)]
    queue = [one] if state is State.QUEUED else []
    active = others + ([] if state is State.QUEUED or state.is_final else [one])
    told = waiting.describe(one, Line(queue, active, 120.0), NOW_S)
    assert told.sentence.endswith(".")
    assert told.eta_s is None or told.eta_s >= 0.0


@pytest.mark.parametrize(
    ("seconds", "text"), [(3.0, "a few seconds"), (44.0, "40 seconds"), (240.0, "4 minutes"), (7300.0, "2 hours")]
)
def test_durations_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert waiting.about(seconds) == text
