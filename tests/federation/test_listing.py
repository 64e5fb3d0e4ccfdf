"""A page of names is read in two ways, and both see the same: the thorough one, and the quick one for looks at the queue."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from appliance import ulid
from appliance.federation import listing
from appliance.federation.joblog import Phase
from appliance.federation.requests import Row

PREFIX = "f/lab/q/"
JOBS = [ulid.new(1.75e9 + number, number) for number in range(5)] + ["not-a-ulid-of-26-characters"[:26]]
NAMES = st.one_of(
    st.builds("{}{}/{:04d}".format, st.just(PREFIX), st.sampled_from(JOBS), st.integers(0, 4)),
    st.builds("{}{}/{:04d}x".format, st.just(PREFIX), st.sampled_from(JOBS), st.integers(0, 4)),
    st.just(f"{PREFIX}probe"),
)
ROWS = st.dictionaries(NAMES, st.integers(1, 9), max_size=24).map(
    lambda found: [Row(key, "", 1.0, found[key]) for key in sorted(found)]
)


@given(ROWS)
def test_the_quick_way_sees_what_the_thorough_one_sees(rows: list[Row]) -> None:
    thorough = listing.jobs(PREFIX, rows)
    quick = listing.survey(PREFIX, rows)
    assert quick.unended == [seen for seen in thorough if seen.phase is not Phase.ENDED]


@given(ROWS, st.integers(0, 24))
def test_a_page_that_goes_on_never_shows_half_a_job_as_whole(rows: list[Row], length: int) -> None:
    whole = {seen.job: seen.rows for seen in listing.jobs(PREFIX, rows)}
    for seen in listing.survey(PREFIX, rows[:length], truncated=length < len(rows)).unended:
        assert whole.get(seen.job, seen.rows) == seen.rows


def test_a_foreign_name_in_its_folder_hides_no_job() -> None:
    job = JOBS[0]
    rows = [Row(f"{PREFIX}{job}/{slot}", "", 1.0, 7) for slot in ("0000", "0000x", "0001", "0002")]
    assert [seen.job for seen in listing.survey(PREFIX, rows).unended] == [job]


def test_a_name_that_is_no_job_is_not_where_a_page_begins_or_ends() -> None:
    rows = [
        Row(f"{PREFIX}{job}/{slot:04d}", "", 1.0, 6)
        for job in ("!" * 26, JOBS[0], JOBS[1], "z" * 26)
        for slot in range(3)
    ]
    seen = listing.survey(PREFIX, rows)
    assert (seen.first, seen.last, seen.rows) == (JOBS[0], JOBS[1], 6)
