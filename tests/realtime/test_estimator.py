from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.realtime.encoder import Edge
from appliance.realtime.estimator import Estimator, Velocity

RAD = 2.0 * math.pi / 480


def steady(speed_rad_s: float, until_us: int) -> list[Edge]:
    """Edges of a constant speed from time 0 on."""
    interval_us = 1e6 * RAD / abs(speed_rad_s)
    sign = 1 if speed_rad_s > 0 else -1
    return [Edge(round(n * interval_us), sign * n) for n in range(1, int(until_us / interval_us) + 1)]


@given(st.floats(0.3, 30.0), st.sampled_from([-1.0, 1.0]))
def test_a_steady_speed_is_known_within_a_percent(speed_rad_s: float, sign: float) -> None:
    until_us = 200_000
    edges = steady(sign * speed_rad_s, until_us)
    assert Velocity(RAD).update(edges, edges[-1].tick_us + 500) == pytest.approx(sign * speed_rad_s, rel=0.01)


def test_the_speed_decays_as_silence_bounds_it_and_ends_at_zero() -> None:
    velocity = Velocity(RAD)
    edges = steady(5.0, 50_000)
    last_us = edges[-1].tick_us
    speeds = [velocity.update(edges if not wait_us else [], last_us + wait_us) for wait_us in range(0, 300_000, 1000)]
    assert speeds == sorted(speeds, reverse=True)
    for wait_us in range(10_000, 200_000, 10_000):
        assert speeds[wait_us // 1000] <= 1e6 * RAD / (wait_us - 3_000) + 1e-9
    assert speeds[-1] == 0.0


def test_a_reversal_starts_the_speed_anew() -> None:
    velocity = Velocity(RAD)
    assert velocity.update([Edge(0, 1), Edge(2_000, 2), Edge(4_000, 3)], 4_500) > 0
    assert velocity.update([Edge(9_000, 2)], 9_500) == 0.0
    assert velocity.update([Edge(11_000, 1)], 11_500) == pytest.approx(-RAD / 0.002)


def test_uneven_phases_of_the_channels_cancel_over_a_whole_cycle() -> None:
    ticks = [0, 300, 1000, 1300, 2000, 2300, 3000, 3300, 4000]  # pairs of edges, 30 % and 70 % apart
    edges = [Edge(tick_us, count) for count, tick_us in enumerate(ticks)]
    assert Velocity(RAD).update(edges, 4_100) == pytest.approx(RAD / 500e-6, rel=1e-6)


def test_hanging_is_pi_and_a_turn_is_two_pi_more() -> None:
    estimator = Estimator(480, math.pi)
    estimator.zero_counts = 10.5
    assert estimator.update(10, [], 0).angle_rad == pytest.approx(math.pi - 0.5 * RAD)
    assert estimator.update(490, [], 0).angle_rad == pytest.approx(3 * math.pi - 0.5 * RAD)
    assert estimator.update(491, [], 0).counts == 480
