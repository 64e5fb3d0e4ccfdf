from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance import histogram


@given(st.lists(st.floats(0.0, 1e8)))
def test_every_sample_is_counted_once_and_no_empty_ends_are_shown(samples_us: list[float]) -> None:
    counts = histogram.counted(samples_us)
    assert sum(count for _, count in counts) == len(samples_us)
    assert not counts or (counts[0][1] and counts[-1][1])


def test_a_bound_belongs_to_its_own_bucket() -> None:
    assert histogram.counted([10.0, 10.1, 50.0, 3e9])[:3] == [(10, 1), (20, 1), (50, 1)]
