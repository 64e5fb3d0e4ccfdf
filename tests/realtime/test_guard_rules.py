"""The guard's pure rules: heartbeat, lease and deadline, pauses between restarts, pacing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.realtime.guarded_session import MARGIN_S, GuardedSession, job_text, parse_session
from appliance.realtime.heartbeat import Heartbeat
from appliance.realtime.messages import Ending
from appliance.realtime.pacing import TokenBucket
from gym_raas.wire import Refused


def test_a_number_that_stays_the_same_for_too_long_is_a_missing_heartbeat() -> None:
    heartbeat = Heartbeat(0.1)
    heartbeat.restart(0.0)
    missing = [heartbeat.is_missing(1, 0.01 * look) for look in range(1, 13)]
    assert missing == [False] * 11 + [True]


def test_a_changing_number_is_alive_even_when_it_goes_backwards() -> None:
    heartbeat = Heartbeat(0.1)
    heartbeat.restart(0.0)
    assert not any(heartbeat.is_missing(number, 0.04 * look) for look, number in enumerate([5, 6, 7, 1, 2, 3]))


def test_a_watcher_that_slept_gives_the_other_side_its_time_anew() -> None:
    heartbeat = Heartbeat(0.1)
    heartbeat.restart(0.0)
    assert not heartbeat.is_missing(1, 0.01)
    assert not heartbeat.is_missing(1, 60.0)
    assert not heartbeat.is_missing(1, 60.04)
    assert heartbeat.is_missing(1, 60.08) is heartbeat.is_missing(1, 60.09) is False
    assert heartbeat.is_missing(1, 60.13)


def armed() -> GuardedSession:
    return GuardedSession(1, 0, limit_s=120.0, lease_s=1.0, leased_s=0.0, is_armed=True)


def test_the_guard_steps_in_only_after_the_loop_should_have() -> None:
    session = armed()
    assert session.overdue(1.0 + MARGIN_S) is None
    assert session.overdue(1.01 + MARGIN_S) is Ending.LEASE
    session.leased_s = 1000.0
    session.start(880.0)
    session.start(990.0)
    assert session.overdue(1000.0 + MARGIN_S) is None
    assert session.overdue(1000.01 + MARGIN_S) is Ending.DEADLINE


def test_a_session_that_has_ended_or_never_was_armed_is_not_overdue() -> None:
    session = armed()
    session.ending = Ending.DISARMED
    assert session.overdue(1e9) is None
    assert GuardedSession(1, 0, 1.0, 1.0, 0.0).overdue(1e9) is None


@pytest.mark.parametrize("ending", Ending)
def test_every_ending_is_told_to_the_job_in_words_that_fit(ending: Ending) -> None:
    code, text = job_text(ending)
    assert 0 < len(text.encode()) <= 160
    Refused(0, code, text).pack()


@given(st.integers(1, (1 << 64) - 1))
def test_every_session_has_one_name(number: int) -> None:
    assert parse_session(f"{number:016x}") == number


@given(st.text(max_size=20))
def test_only_sixteen_lower_case_hex_digits_are_a_session(text: str) -> None:
    number = parse_session(text)
    assert number is None or f"{number:016x}" == text


@given(st.lists(st.floats(0.0, 0.5), max_size=200))
def test_no_pattern_of_asking_gets_more_than_rate_and_burst(gaps_s: list[float]) -> None:
    bucket, now_s, taken = TokenBucket(100.0, 20.0, 0.0), 0.0, 0
    for gap_s in gaps_s:
        now_s += gap_s
        taken += sum(bucket.take(now_s) for _ in range(50))
    assert taken <= 20 + 100.0 * now_s + 1


def test_who_waits_as_long_as_told_gets_a_token() -> None:
    bucket = TokenBucket(100.0, 1.0, 0.0)
    assert bucket.take(0.0)
    assert not bucket.take(0.001)
    assert bucket.take(0.001 + bucket.wait_s(0.001) + 1e-9)
