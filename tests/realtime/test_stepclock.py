from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.realtime.stepclock import Boundary, StepClock

DT_US = 50_000
HOLD_US = 25_000


def test_the_first_action_sets_t0_and_ends_one_interval_later() -> None:
    clock = StepClock(DT_US, HOLD_US)
    assert clock.act(123) == Boundary(1, 123 + DT_US, 0)
    assert clock.due(122 + DT_US) is None
    assert clock.due(123 + DT_US) == Boundary(1, 123 + DT_US, 0)
    assert clock.due(123 + DT_US) is None


def test_an_action_that_comes_half_an_interval_before_a_boundary_still_meets_it() -> None:
    clock = StepClock(DT_US, HOLD_US)
    clock.act(0)
    clock.due(DT_US)
    assert clock.act(2 * DT_US - HOLD_US) == Boundary(2, 2 * DT_US, 0)


def test_one_microsecond_later_it_meets_the_next_one_and_a_boundary_is_missed() -> None:
    clock = StepClock(DT_US, HOLD_US)
    clock.act(0)
    clock.due(DT_US)
    assert clock.act(2 * DT_US - HOLD_US + 1) == Boundary(3, 3 * DT_US, 1)


def test_a_second_action_before_the_boundary_is_refused() -> None:
    clock = StepClock(DT_US, HOLD_US)
    clock.act(0)
    with pytest.raises(ValueError, match="hasn't met its boundary"):
        clock.act(1)


def test_after_a_reset_the_next_action_sets_a_new_t0() -> None:
    clock = StepClock(DT_US, HOLD_US)
    clock.act(0)
    clock.reset()
    assert clock.due(10 * DT_US) is None
    assert clock.act(1_000_007) == Boundary(1, 1_000_007 + DT_US, 0)


@pytest.mark.parametrize("hold_us", [0, -1, DT_US + 1])
def test_a_hold_that_no_grid_can_keep_is_refused(hold_us: int) -> None:
    with pytest.raises(ValueError, match="min_hold_us"):
        StepClock(DT_US, hold_us)


@given(
    dt_us=st.integers(1_000, 100_000),
    hold_share=st.floats(0.0, 1.0),
    t0_us=st.integers(0, 10**13),
    pauses_us=st.lists(st.integers(0, 3_000_000), min_size=1, max_size=60),
    lateness_us=st.integers(0, 400_000),
)
def test_whatever_the_program_does_the_grid_holds(
    dt_us: int, hold_share: float, t0_us: int, pauses_us: list[int], lateness_us: int
) -> None:
    hold_us = max(1, round(hold_share * dt_us))
    clock = StepClock(dt_us, hold_us)
    now_us, last_k, missed = t0_us, 0, 0
    for pause_us in pauses_us:
        boundary = clock.act(now_us)
        # On the grid, late enough, and the first one that is.
        assert boundary.at_us == t0_us + boundary.k * dt_us
        assert boundary.at_us >= now_us + hold_us > boundary.at_us - dt_us
        assert boundary.k > last_k
        assert boundary.missed == boundary.k - last_k - 1
        missed += boundary.missed
        assert clock.due(boundary.at_us - 1) is None
        now_us = boundary.at_us + lateness_us
        assert clock.due(now_us) == boundary
        last_k = boundary.k
        now_us += pause_us
    # Every boundary either ended a step or was missed.
    assert last_k == len(pauses_us) + missed
