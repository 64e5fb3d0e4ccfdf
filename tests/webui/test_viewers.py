"""The bench of many viewers works, and nobody misses anything; its figures are for a quiet machine."""

from __future__ import annotations

from tests.bench import viewers


def test_everybody_sees_everything_while_others_stop_ask_and_dawdle() -> None:
    found = viewers.measure(seconds=1.5, viewers=20, loris=10)
    assert found.dropped == 0
    assert found.watched.seen.events > 3
    assert found.bare.seen.events > 3
    assert found.asked.stops_ms
    assert found.besieged.reads_ms
