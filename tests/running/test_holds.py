"""Why the queue is held, the most important reason first."""

from __future__ import annotations

import dataclasses

import pytest

from appliance import facts
from appliance.jobs import Reason
from appliance.realtime.control import Reply
from appliance.running import holds
from appliance.running.holds import Circumstances

FINE = Circumstances(paused="", free_mb=500, min_free_mb=200, engine="", robot=Reply())
STOPPED = Reply(state="stopped", stopped=True, stop_who="ann", stop_why="smoke")


def test_nothing_holds_the_queue_when_all_is_well() -> None:
    assert holds.judge(FINE) is None


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        ({"robot": STOPPED}, Reason.QUEUE_PAUSED, "by ann (smoke)"),
        ({"paused": facts.PAUSED_BY_OWNER}, Reason.QUEUE_PAUSED, "owner"),
        ({"robot": None}, Reason.ROBOT_UNAVAILABLE, "isn't running"),
        ({"robot": Reply(loop_alive=False)}, Reason.ROBOT_UNAVAILABLE, "isn't running"),
        ({"robot": Reply(state="fault", fault="link_lost")}, Reason.ROBOT_UNAVAILABLE, "link lost"),
        ({"engine": "No engine."}, Reason.ENGINE_UNAVAILABLE, "No engine."),
        ({"free_mb": 199}, Reason.DISK_FULL, "199 MiB"),
    ],
)
def test_each_circumstance_holds_with_its_reason(change: dict[str, object], reason: Reason, words: str) -> None:
    hold = holds.judge(dataclasses.replace(FINE, **change))  # type: ignore[arg-type]
    assert hold is not None
    assert (hold.reason, words in hold.sentence) == (reason, True)


def test_an_emergency_stop_pauses_and_a_resumed_robot_unpauses_only_that() -> None:
    assert holds.pause_after("", STOPPED) == facts.PAUSED_BY_STOP
    assert holds.pause_after(facts.PAUSED_BY_STOP, Reply()) == ""
    assert holds.pause_after(facts.PAUSED_BY_OWNER, Reply()) == facts.PAUSED_BY_OWNER
    assert holds.pause_after(facts.PAUSED_BY_OWNER, STOPPED) == facts.PAUSED_BY_OWNER
    assert holds.pause_after(facts.PAUSED_BY_STOP, None) == facts.PAUSED_BY_STOP
