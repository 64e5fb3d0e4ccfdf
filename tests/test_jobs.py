"""The rules of states, as a whole."""

from __future__ import annotations

import pytest

from appliance import jobs
from appliance.jobs import ACTIVE, FINAL, Reason, State


def test_every_state_is_queued_active_or_final() -> None:
    assert {State.QUEUED} | ACTIVE | FINAL == set(State)


def test_nothing_follows_a_final_state_and_something_every_other() -> None:
    for state in State:
        assert any(jobs.may_follow(state, other) for other in State) is not state.is_final


def test_a_job_runs_only_after_the_robot_was_waited_for() -> None:
    assert [state for state in State if jobs.may_follow(state, State.RUNNING)] == [State.WAITING_FOR_ROBOT]


@pytest.mark.parametrize("state", [State.QUEUED, State.PREPARING, State.WAITING_FOR_ROBOT])
def test_caught_before_running_costs_nothing(state: State) -> None:
    assert jobs.after_interruption(state, 1) == (State.QUEUED, Reason.NONE, 1)
    assert jobs.after_interruption(state, 2) == (State.QUEUED, Reason.NONE, 2)


def test_caught_running_gives_one_more_attempt() -> None:
    assert jobs.after_interruption(State.RUNNING, 1) == (State.QUEUED, Reason.INTERRUPTED, 2)
    assert jobs.after_interruption(State.RUNNING, 2) == (State.FAILED, Reason.INTERRUPTED, 2)


@pytest.mark.parametrize("state", sorted(FINAL))
def test_a_final_state_is_left_alone(state: State) -> None:
    assert jobs.after_interruption(state, 1) == (state, Reason.NONE, 1)


@pytest.mark.parametrize("state", [state for state in State if not state.is_final])
def test_an_interruption_is_always_a_legal_move(state: State) -> None:
    after, _, _ = jobs.after_interruption(state, 1)
    assert after is state or jobs.may_follow(state, after)
