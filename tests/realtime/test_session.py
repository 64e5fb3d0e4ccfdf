from __future__ import annotations

from appliance.realtime.messages import Ending
from appliance.realtime.session import Session


def test_the_clock_runs_from_the_first_start_on() -> None:
    session = Session.armed(1, 120.0, 1.0, 1_000)
    assert (session.elapsed_us(500_000), session.left_us(500_000)) == (0, 120_000_000)
    session.start(2_000)
    session.start(900_000)
    assert session.elapsed_us(1_002_000) == 1_000_000


def test_it_is_over_at_the_deadline_or_when_the_lease_lapses() -> None:
    session = Session.armed(1, 2.0, 1.0, 0)
    session.start(0)
    assert session.over(999_999) is None
    assert session.over(1_000_000) is Ending.LEASE
    session.renew(1_500_000)
    assert session.over(1_999_999) is None
    assert session.over(2_000_000) is Ending.DEADLINE
