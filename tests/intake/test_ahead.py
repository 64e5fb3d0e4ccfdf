"""A confined child may wait for its order: it serves one submission, and leaves nothing behind."""

from __future__ import annotations

import io
import os
import signal
import socket
import tarfile
import tempfile
import time
from collections.abc import Iterator

import pytest

from appliance.errors import IsolationError
from appliance.intake import isolation
from appliance.intake.ahead import PAUSE_S, Ahead
from appliance.intake.preparing import UNPACKING
from tests.patience import eventually

ROOM = isolation.Limits(seconds=60, scratch_bytes=1 << 20, scratch_files=100)


@pytest.fixture
def ahead() -> Iterator[Ahead]:
    made = Ahead(UNPACKING)
    made.tend(0.0)
    yield made
    made.close()


def unpacked(child: isolation.Child | None, program: bytes = b"print(1)\n") -> isolation.Outcome:
    with tempfile.TemporaryFile() as upload:
        with tarfile.open(fileobj=upload, mode="w:gz") as archive:
            entry = tarfile.TarInfo("run.py")
            entry.size = len(program)
            archive.addfile(entry, io.BytesIO(program))
        upload.seek(0)
        room = isolation.Room(uid=65534, limits=ROOM, stdin=upload.fileno())
        order = {"max_bytes": 1 << 20, "max_files": 100}
        with isolation.run(UNPACKING, order, room, child=child) as outcome:
            return outcome


def is_gone(child: isolation.Child) -> bool:
    return not os.path.exists(f"/proc/{child.process.pid}")


def test_a_child_that_waited_unpacks_one_archive_and_is_gone(ahead: Ahead) -> None:
    child = ahead.take()
    assert child is not None
    assert child.is_sound
    assert ahead.take() is None, "it is given away once"
    assert unpacked(child).answer is not None
    assert is_gone(child)


def test_the_next_one_is_started_a_little_later_and_only_once(ahead: Ahead) -> None:
    first = ahead.take()
    assert first is not None
    first.end()
    ahead.tend(10.0)
    assert ahead.take() is None, "not in the way of the job that took the first"
    ahead.tend(20.0)
    ahead.tend(20.0 + PAUSE_S)
    ahead.tend(30.0)
    second = ahead.take()
    assert second is not None
    assert second.process.pid != first.process.pid
    second.end()


def test_one_that_died_while_it_waited_is_never_given_away(ahead: Ahead) -> None:
    waiting = ahead._waiting
    assert waiting is not None
    os.kill(waiting.process.pid, signal.SIGKILL)
    eventually(lambda: not waiting.is_sound)
    assert ahead.take() is None
    assert is_gone(waiting)


def test_one_that_dies_on_its_way_is_the_appliance_s_fault_not_the_submission_s(ahead: Ahead) -> None:
    child = ahead.take()
    assert child is not None
    os.kill(child.process.pid, signal.SIGKILL)
    with pytest.raises(IsolationError):
        unpacked(child)


def test_nothing_waits_after_the_end() -> None:
    ahead = Ahead(UNPACKING)
    ahead.tend(time.monotonic())
    waiting = ahead._waiting
    assert waiting is not None
    ahead.close()
    assert is_gone(waiting)


def test_it_ends_by_itself_when_nobody_can_give_it_an_order() -> None:
    child = isolation.start(UNPACKING)
    child.channel.shutdown(socket.SHUT_RDWR)
    assert child.process.wait(30.0) == 0
    child.end()
