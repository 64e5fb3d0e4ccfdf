from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance.realtime.encoder import Edge, Encoder, Report

A, B = 14, 15
FORWARD = ((0, 0), (1, 0), (1, 1), (0, 1))


def report(tick_us: int, position: int, other_bits: int = 0) -> Report:
    a, b = FORWARD[position % 4]
    return Report(tick_us, a << A | b << B | other_bits)


def test_a_before_b_counts_forward_with_the_time_of_each_edge() -> None:
    encoder = Encoder(A, B)
    assert encoder.decode([report(0, 0)]) == []
    assert encoder.decode([report(5, 1), report(9, 2)]) == [Edge(5, 1), Edge(9, 2)]
    assert encoder.counts == 2


def test_the_first_report_only_says_where_the_channels_stand() -> None:
    encoder = Encoder(A, B)
    assert encoder.decode([report(0, 2)]) == []
    assert (encoder.counts, encoder.illegal) == (0, 0)


def test_both_channels_at_once_is_an_illegal_transition_and_counts_nothing() -> None:
    encoder = Encoder(A, B)
    encoder.decode([report(0, 0), report(1, 2)])
    assert (encoder.counts, encoder.illegal) == (0, 1)


def test_other_pins_don_t_matter() -> None:
    encoder = Encoder(A, B)
    assert encoder.decode([report(0, 0), report(1, 0, 1 << 20), report(2, 1, 1 << 3)]) == [Edge(2, 1)]


def test_after_an_interruption_the_counts_stay_and_nothing_is_illegal() -> None:
    encoder = Encoder(A, B)
    encoder.decode([report(0, 0), report(1, 1)])
    encoder.forget_levels()
    encoder.decode([report(2, 3)])
    assert (encoder.counts, encoder.illegal) == (1, 0)


@given(st.lists(st.sampled_from([-1, 0, 1]), max_size=300), st.integers(0, 3), st.integers(1, 50))
def test_any_walk_is_counted_exactly_however_it_is_cut_into_reads(steps: list[int], start: int, cut: int) -> None:
    encoder = Encoder(A, B)
    position = start
    reports = [report(0, position)]
    for tick_us, step in enumerate(steps, 1):
        position += step
        reports.append(report(tick_us, position))
    edges = [edge for begin in range(0, len(reports), cut) for edge in encoder.decode(reports[begin : begin + cut])]
    assert encoder.counts == position - start
    assert len(edges) == sum(1 for step in steps if step)
    assert encoder.illegal == 0
