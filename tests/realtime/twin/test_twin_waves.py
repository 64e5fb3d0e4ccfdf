from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.realtime.twin.waves import Wave, edges

software = st.tuples(st.sampled_from([25, 50, 200, 250, 400]), st.integers(0, 400)).map(
    lambda drawn: Wave(drawn[0] * 5, min(drawn) * 5)
)
#: Eighths of a microsecond are exact in binary, so that the definition below has no rounding of its own.
hardware = st.tuples(st.integers(24, 16_000), st.integers(0, 16_000)).map(
    lambda drawn: Wave(drawn[0] / 8, min(drawn) / 8)
)


@settings(deadline=None)
@given(software, st.integers(0, 10**12), st.integers(0, 5000))
def test_edges_of_software_pwm_are_where_the_sampled_level_changes(wave: Wave, after_us: int, span_us: int) -> None:
    assert list(edges(wave, after_us, after_us + span_us)) == sampled_edges(wave, after_us, after_us + span_us)


@settings(deadline=None)
@given(hardware, st.integers(0, 10**6), st.integers(0, 5000))
def test_edges_of_hardware_pwm_are_where_the_sampled_level_changes(wave: Wave, after_us: int, span_us: int) -> None:
    assert list(edges(wave, after_us, after_us + span_us)) == sampled_edges(wave, after_us, after_us + span_us)


def test_a_wave_that_is_never_or_always_high_has_no_edges() -> None:
    assert list(edges(Wave(125.0, 0.0), 0, 10_000)) == []
    assert list(edges(Wave(125.0, 125.0), 0, 10_000)) == []


def sampled_edges(wave: Wave, after_us: int, until_us: int) -> list[int]:
    """The definition, sample by sample."""
    first = after_us - after_us % 5 + 5
    return [t for t in range(first, until_us + 1, 5) if wave.level(t) != wave.level(t - 5)]
