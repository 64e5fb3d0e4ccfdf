"""What the page's process knows of the robot, while its guard and its loop answer at their own pace."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from appliance.config import Config
from appliance.paths import Paths
from appliance.realtime.control import Reply, Request, Resume, Status
from appliance.realtime.telemetry import LiveRecord, LiveRing, RobotState
from appliance.webui.board import Board
from tests.control_sockets import ControlSockets


@pytest.fixture
def paths() -> Iterator[Paths]:
    with tempfile.TemporaryDirectory(prefix="raas-") as name:  # a socket's path must be short
        found = Paths.of(Path(name) / "data", Path(name) / "run")
        yield found
        shutil.rmtree(found.shm, ignore_errors=True)


def test_a_late_answer_never_replaces_a_newer_one(paths: Paths) -> None:
    asked, may_answer = threading.Event(), threading.Event()

    def answer(request: Request) -> Reply:
        if not isinstance(request, Status):
            return Reply(stopped=False)
        asked.set()
        assert may_answer.wait(5.0)
        return Reply(stopped=True)

    sockets = ControlSockets(paths, answer, ("stop", "resume"))
    board = Board(Config(), paths, time.monotonic_ns)
    older = threading.Thread(target=board.refresh_guard)
    older.start()
    assert asked.wait(5.0)
    board.ask_guard("resume", Resume("me"))
    may_answer.set()
    older.join()
    assert board.guard is not None
    assert not board.guard.stopped
    sockets.close()


def test_what_the_loop_makes_of_the_guard_s_word_is_waited_for(paths: Paths) -> None:
    paths.live_ring.parent.mkdir(parents=True, exist_ok=True)
    ring = LiveRing(paths.live_ring, create=True)
    board = Board(Config(), paths, time.monotonic_ns)
    ring.append(_record(RobotState.STOPPED))
    gevent.spawn_later(0.1, lambda: ring.append(_record(RobotState.DISARMED)))
    board.catch_up()
    assert board.robot().state != "stopped"
    begun_s = time.monotonic()
    board.catch_up()
    assert time.monotonic() - begun_s < 1.0, "a loop that says nothing more is waited for only a moment"
    ring.close()


def _record(state: RobotState) -> LiveRecord:
    return LiveRecord(time.monotonic_ns(), state, 0, 0, 0, 0, 0, 0.5, 0.0, 0.0, 0.0, 0, 0, 0, 0, 1000.0, 1, 0, 0, 0)
