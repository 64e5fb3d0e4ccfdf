from __future__ import annotations

from appliance.backoff import Backoff


def test_pauses_double_up_to_a_limit() -> None:
    backoff = Backoff(0.05, 0.3)
    assert [backoff.after(ran_s=0.1) for _ in range(5)] == [0.05, 0.1, 0.2, 0.3, 0.3]


def test_a_steady_run_is_forgiven_the_falls_before_it() -> None:
    backoff = Backoff(0.05, 0.3)
    for _ in range(5):
        backoff.after(ran_s=0.1)
    assert [backoff.after(ran_s=60.0), backoff.after(ran_s=0.1)] == [0.05, 0.1]
