"""The confined child: what a worker that was taken over can't do, at each level that this machine permits."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.errors import BadSource, Cancelled, IsolationError
from appliance.intake import isolation
from appliance.intake.isolation import Level, Limits, Room
from tests import host_watch
from tests.patience import eventually

SMALL = Limits(seconds=20, scratch_bytes=4 << 20, scratch_files=100, memory_bytes=256 << 20, processes=20)
ROOM = Room(uid=host_watch.UID, limits=SMALL)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a child another user")
needs_namespaces = pytest.mark.skipif(isolation.level() == "limits", reason="this machine permits no namespaces")
ROOMS: list[object] = [pytest.param("root", marks=needs_root), pytest.param("user", marks=needs_namespaces)]
LEVELS: list[object] = [*ROOMS, "limits"]


@pytest.fixture(autouse=True)
def host_is_unchanged() -> Iterator[None]:
    with host_watch.unchanged():
        yield


@pytest.mark.parametrize("level", ROOMS)
def test_a_worker_sees_and_reaches_nothing_of_the_host(level: Level, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("owner's")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        order = {"probe": "look", "secret": str(secret), "victim": os.getpid(), "port": listener.getsockname()[1]}
        with isolation.run("tests.confined_probe", order, ROOM, at=level) as outcome:
            found = outcome.answer
    assert found is not None
    assert set(found["uid"]) == {host_watch.UID} or level == "user"
    assert found["root"] == ["scratch"]
    assert found["pid"] == 1
    assert (found["mount"], found["new_namespace"], found["core"]) == (-1, -1, 0)
    doors = ("host_name", "secret", "shadow", "write_root", "write_usr", "kill_parent", "connect", "become_root", "device", "chroot")  # fmt: skip
    assert {door: found[door] for door in doors if found[door].startswith("done")} == {}
    assert socket.gethostname() != "mine"


@needs_root
def test_without_namespaces_permissions_still_hold(tmp_path: Path) -> None:
    order = {"probe": "look", "secret": "/etc/shadow", "victim": os.getpid(), "port": 1}
    with isolation.run("tests.confined_probe", order, ROOM, at="limits") as outcome:
        found = outcome.answer
    assert found is not None
    assert set(found["uid"]) == {host_watch.UID}
    doors = ("host_name", "shadow", "write_root", "write_usr", "kill_parent", "become_root", "device", "chroot")
    assert {door: found[door] for door in doors if found[door].startswith("done")} == {}


@pytest.mark.parametrize("level", LEVELS)
def test_a_full_scratch_folder_ends_the_task(level: Level) -> None:
    with isolation.run("tests.confined_probe", {"probe": "fill"}, ROOM, at=level) as outcome:
        assert outcome.out_of == "space"
        assert outcome.answer is None


@pytest.mark.parametrize("level", ROOMS)
def test_the_number_of_files_is_capped(level: Level) -> None:
    with isolation.run("tests.confined_probe", {"probe": "fill_in_pieces"}, ROOM, at=level) as outcome:
        assert outcome.answer is not None
        assert 0 < outcome.answer["files"] <= SMALL.scratch_files


@pytest.mark.parametrize("level", LEVELS)
def test_memory_is_capped(level: Level) -> None:
    with isolation.run("tests.confined_probe", {"probe": "eat_memory"}, ROOM, at=level) as outcome:
        assert outcome.out_of == "memory"


@needs_root
def test_a_fork_bomb_stops_at_its_limit_and_dies_with_its_parent() -> None:
    with isolation.run("tests.confined_probe", {"probe": "multiply"}, ROOM, at="root") as outcome:
        assert outcome.answer is not None
        assert 0 < outcome.answer["born"] <= SMALL.processes


@pytest.mark.parametrize("level", ROOMS)
def test_the_deadline_ends_everything(level: Level) -> None:
    limits = Limits(seconds=1, scratch_bytes=1 << 20, scratch_files=100)
    room = Room(uid=host_watch.UID, limits=limits, show=("/usr", "/bin", "/lib", "/lib64"))
    began_s = time.monotonic()
    with isolation.run("tests.confined_probe", {"probe": "linger"}, room, at=level) as outcome:
        assert (outcome.out_of, outcome.stage) == ("time", "lingering")
    assert time.monotonic() - began_s < 4


@pytest.mark.parametrize("level", ROOMS)
def test_a_cancelled_task_is_gone_at_once(level: Level) -> None:
    cancel = threading.Event()
    threading.Timer(0.5, cancel.set).start()
    room = Room(uid=host_watch.UID, limits=SMALL, show=("/usr", "/bin", "/lib", "/lib64"))
    with (
        pytest.raises(Cancelled),
        isolation.run("tests.confined_probe", {"probe": "linger"}, room, cancel.is_set, level),
    ):
        pass


@pytest.mark.parametrize("level", LEVELS)
def test_what_a_worker_babbles_is_only_read(level: Level) -> None:
    with isolation.run("tests.confined_probe", {"probe": "babble"}, ROOM, at=level) as outcome:
        assert outcome.answer == {"fine": True}
        assert outcome.refused == ""


def test_a_bug_that_a_submission_finds_is_the_submissions_end_not_the_machines() -> None:
    with isolation.run("tests.confined_probe", {"probe": "crash"}, ROOM) as outcome:
        assert outcome.died == "an unexpected error"
        assert "a bug that a submission has found" in outcome.words
        with pytest.raises(BadSource):
            isolation.inside(outcome.scratch, "tree")


def test_a_child_that_cant_be_made_is_the_machines_fault() -> None:
    with pytest.raises(IsolationError), isolation.run("tests.no_such_task", {}, ROOM):
        pass


@needs_root
def test_a_killed_appliance_takes_its_children_along() -> None:
    program = f"""
        from appliance.intake import isolation
        limits = isolation.Limits(seconds=60, scratch_bytes=1 << 20, scratch_files=100)
        room = isolation.Room(uid={host_watch.UID}, limits=limits, show=("/usr", "/bin", "/lib", "/lib64"))
        with isolation.run("tests.confined_probe", {{"probe": "linger"}}, room, at="root"):
            pass
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], cwd=Path(__file__).parents[2]) as appliance:
        eventually(lambda: any("sleep" in line for line in host_watch.processes_of(host_watch.UID)), what="the child")
        appliance.send_signal(signal.SIGKILL)
    # host_is_unchanged looks whether any process of that user is left
