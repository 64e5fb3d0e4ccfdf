from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.realtime.twin.encoder import Quadrature
from gym_raas.parameters import load_robot
from gym_raas.physics import Pendulum, State

FINE_US = 5


@pytest.mark.parametrize("counts", [444, 445, 480])
def test_a_turn_has_its_counts_wherever_it_starts(counts: int) -> None:
    disc = Quadrature(counts, 0.3)
    for angle_rad in (-7.0, 0.0, 0.1, 3.0, 100.0):
        assert disc.count(angle_rad + 2.0 * math.pi) - disc.count(angle_rad) in (counts, counts - 1, counts + 1)
    assert disc.count(2.0 * math.pi * 100 + 1e-9) - disc.count(1e-9) == 100 * counts


def test_channel_a_leads_while_the_angle_grows() -> None:
    disc = Quadrature(480)
    angles = [(k + 0.5) * 2.0 * math.pi / 480 for k in range(5)]
    assert [disc.channels(angle) for angle in angles] == [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]


@settings(deadline=None)
@given(
    st.sampled_from([445, 480]),
    st.floats(0.0, 0.999),
    st.floats(-10.0, 10.0),
    st.floats(-25.0, 25.0),
    st.sampled_from([-1000.0, -300.0, 0.0, 300.0, 1000.0]),
    st.integers(50, 1000),
)
def test_edges_are_found_when_a_motion_cut_200_times_finer_shows_them(
    counts: int, phase: float, angle_rad: float, velocity_rad_s: float, command: float, span_us: int
) -> None:
    pendulum, disc = Pendulum(load_robot().model), Quadrature(counts, phase)
    start = State(angle_rad, velocity_rad_s)
    end = pendulum.advance(start, command, span_us * 1e-6)
    found = list(disc.edges(start, end, span_us * 1e-6))
    exact = finely(pendulum, disc, start, command, span_us)
    assert len(found) % 2 == sum(exact.values()) % 2
    times_s = [edge.after_s for edge in found]
    assert times_s == sorted(times_s)
    levels = disc.channels(start.angle_rad)
    for edge in found:
        levels = (1 - levels[0], levels[1]) if edge.channel == 0 else (levels[0], 1 - levels[1])
    assert levels == disc.channels(end.angle_rad)
    if abs(velocity_rad_s) > 2.0:  # far from a reversal each edge has one moment
        assert len(found) == len(exact)
        for edge, at_us in zip(found, sorted(exact), strict=True):
            assert abs(edge.after_s * 1e6 - at_us) <= 2 * FINE_US


def finely(pendulum: Pendulum, disc: Quadrature, start: State, command: float, span_us: int) -> dict[int, int]:
    """Changes of the count by the time they show when the motion is looked at every few µs."""
    states = [pendulum.advance(start, command, t_us * 1e-6) for t_us in (*range(0, span_us, FINE_US), span_us)]
    counts = [disc.count(state.angle_rad) for state in states]
    return {k * FINE_US: abs(b - a) for k, (a, b) in enumerate(itertools.pairwise(counts), 1) if a != b}


def test_an_arm_that_turns_back_on_an_edge_shows_it_both_ways() -> None:
    disc = Quadrature(480)
    edge_rad = 2.0 * math.pi / 480
    rise, fall = disc.edges(State(edge_rad - 1e-4, 1.0), State(edge_rad - 1e-4, -1.0), 0.001)
    assert rise.channel == fall.channel == 0
    assert rise.after_s < 0.0005 < fall.after_s
