"""The guard with a real loop, a real gateway and the twin: whatever dies, the motor goes off, and no session is left over."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from appliance.realtime.control import Arm, Settle, Stop
from appliance.realtime.telemetry import Segment
from gym_raas import wire
from gym_raas.parameters import load_robot
from gym_raas.wire import Refusal
from tests.patience import eventually
from tests.realtime.guard_process import CONFIG, Rig, running_guard, running_rig

SLACK_MS = 100.0  # the machine may be busy; what is measured is 1 to 5 ms


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running_rig(tmp_path_factory.mktemp("r")) as rig:
        yield rig


@pytest.fixture
def rig(shared: Rig) -> Iterator[Rig]:
    """Idle and healthy; tests that kill something use `own` instead."""
    shared.wait_ready()
    yield shared
    shared.disarm()
    shared.resume()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Rig]:
    """A robot of the test's own, for what leaves traces."""
    with running_rig(tmp_path) as rig:
        yield rig


# -- sessions -----------------------------------------------------------------------------------------------------


def test_a_session_from_arm_to_disarm(rig: Rig) -> None:
    armed = rig.arm()
    number = int(rig.session, 16)
    assert (armed.ok, armed.state, armed.session) == (True, "armed", rig.session)
    assert stat.S_IMODE(rig.paths.session(number).stat().st_mode) == 0o755
    assert rig.start().state == "running"
    job = rig.job()
    assert isinstance(job.hello(), wire.Welcome)
    assert isinstance(job.act(0.5), wire.Sample)
    assert rig.lease().ok
    done = rig.disarm()
    assert (done.ok, done.state, done.session, done.ending) == (True, "disarmed", "", "disarmed")
    assert not rig.paths.session(number).exists()
    segment = Segment(rig.paths.segment(number), writable=False)
    assert [step.action for step in segment.steps()] == [0.5]
    assert rig.disarm().ok, "a second disarm changes nothing"


def test_the_settling_says_how_long_it_took_and_what_the_self_test_found(rig: Rig) -> None:
    reply = rig.ask("runner", Settle(30.0), timeout_s=40.0)
    assert reply.ok, reply.error
    assert (reply.state, reply.self_test_s > 0.0, reply.self_tests_passed > 0) == ("disarmed", True, True)
    assert reply.friction_rad_s2 == pytest.approx(load_robot().model.coulomb_rad_s2, rel=0.3)


def test_a_settling_can_be_broken_off(rig: Rig) -> None:
    with socket.socket(socket.AF_UNIX) as settling:
        settling.settimeout(10.0)
        settling.connect(str(rig.paths.control("runner")))
        settling.sendall(b'{"type":"settle","timeout_s":60.0}\n')
        rig.wait_status("settling", state="settling")
        assert rig.disarm().ok
        assert b"interrupted" in settling.recv(4096)
    assert rig.status().state == "disarmed"


@pytest.mark.parametrize(
    ("session", "limit_s", "gid", "word"),
    [
        ("", 1.0, 0, "16 hex digits"),
        ("0" * 16, 1.0, 0, "16 hex digits"),
        ("../../../../etc/x", 1.0, 0, "16 hex digits"),
        ("ABCDEFABCDEFABCD", 1.0, 0, "16 hex digits"),
        ("1" * 16, 0.0, 0, "limit_s"),
        ("1" * 16, 1e9, 0, "limit_s"),
        ("1" * 16, 1.0, -1, "group"),
        ("1" * 16, 1.0, 1 << 40, "group"),
    ],
)
def test_an_arm_with_bad_values_is_refused_and_leaves_nothing(
    rig: Rig, session: str, limit_s: float, gid: int, word: str
) -> None:
    reply = rig.ask("runner", Arm(session, "JOB", limit_s, gid))
    assert not reply.ok
    assert word in reply.error
    assert not any(rig.paths.session(1).parent.glob("*"))


def test_one_session_at_a_time_and_each_name_once(rig: Rig) -> None:
    assert rig.arm().ok
    first = rig.session
    assert "under way" in rig.arm().error
    assert "no session" in rig.lease().error
    assert "under way" in rig.ask("runner", Settle(1.0)).error
    rig.session = first
    assert rig.disarm().ok
    again = rig.ask("runner", Arm(first, "JOB", 1.0, 0))
    assert "used before" in again.error


def test_the_time_limit_ends_the_session_and_says_so_to_the_job(rig: Rig) -> None:
    assert rig.arm(limit_s=0.4).ok
    rig.start()
    job = rig.job()
    job.hello()
    refused = job.act(0.0)
    while isinstance(refused, wire.Sample):
        refused = job.act(0.0)
    assert isinstance(refused, wire.Refused)
    assert refused.code is Refusal.OVER
    assert rig.status().ending == "deadline"
    assert "over (deadline)" in rig.lease().error


def test_a_silent_runner_ends_the_session(tmp_path: Path) -> None:
    with running_rig(tmp_path, "realtime: {lease_s: 0.5, dead_man_s: 0.3}\n") as own:
        own.driving()
        since_ns = time.monotonic_ns()
        status = own.wait_status("end of the lease", ending="lease")
        assert (status.state, status.session) == ("disarmed", "")
        assert own.off_after_ms(since_ns) < 500.0 + SLACK_MS


# -- emergency stop -----------------------------------------------------------------------------------------------


def test_a_stop_is_quick_and_latched_until_resumed(rig: Rig) -> None:
    job = rig.driving()
    since_ns = time.monotonic_ns()
    reply = rig.stop()
    assert (reply.ok, reply.stopped, reply.state, reply.ending) == (True, True, "stopped", "stopped")
    assert (reply.stop_who, reply.stop_why) == ("a test", "to see it stop")
    assert rig.off_after_ms(since_ns) < SLACK_MS
    assert rig.paths.estop_latch.exists()
    refused = job.act(2.0)
    assert isinstance(refused, wire.Refused)
    assert refused.code is Refusal.STOPPED
    rig.disarm()
    assert "esume it" in rig.arm().error
    resumed = rig.resume()
    assert (resumed.ok, resumed.stopped, resumed.state) == (True, False, "disarmed")
    assert not rig.paths.estop_latch.exists()
    rig.wait_ready()


def test_the_first_stop_is_the_one_that_is_kept(rig: Rig) -> None:
    rig.stop()
    second = rig.ask("stop", Stop("somebody else", "later"))
    assert (second.ok, second.stop_who) == (True, "a test")


def test_a_stop_survives_the_restart_of_everything(tmp_path: Path) -> None:
    with running_rig(tmp_path) as rig:
        rig.driving()
        assert rig.stop().ok
        rig.guard.kill()
        rig.guard.wait()
        with running_guard(tmp_path, rig.port) as (_, _paths):
            status = rig.wait_status("the new loop", loop_alive=True, gateway_alive=True)
            assert (status.stopped, status.stop_who) == (True, "a test")
            assert "esume it" in rig.arm().error
            assert rig.resume().ok
            rig.wait_ready()


def test_a_stop_file_that_cant_be_read_is_a_stop(tmp_path: Path) -> None:
    latch = tmp_path / "data" / "estop" / "latched"
    latch.parent.mkdir(parents=True)
    latch.write_bytes(b"\0\0torn")
    with running_rig(tmp_path) as rig:
        status = rig.wait_status("the loop", loop_alive=True)
        assert (status.stopped, status.stop_who) == (True, "guard")
        assert rig.resume().ok
        rig.wait_ready()


def test_a_stop_that_cant_be_written_down_still_stops_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "data" / "estop" / "latched.new").mkdir(parents=True)  # where the guard would write
    with running_rig(tmp_path) as rig:
        rig.driving()
        since_ns = time.monotonic_ns()
        reply = rig.stop()
        assert not reply.ok
        assert "written down" in reply.error
        assert reply.stopped
        assert rig.off_after_ms(since_ns) < SLACK_MS


def test_a_stop_is_quick_while_the_job_floods_its_socket(rig: Rig) -> None:
    job, done = rig.driving(), threading.Event()

    def flood() -> None:
        while not done.is_set():
            with contextlib.suppress(zmq.Again):
                job.socket.send(wire.Action(1, 2.0).pack(), zmq.NOBLOCK)

    attack = threading.Thread(target=flood)
    attack.start()
    since_ns = time.monotonic_ns()
    reply = rig.stop()
    done.set()
    attack.join()
    assert reply.ok
    assert rig.off_after_ms(since_ns) < SLACK_MS


def test_a_stop_is_quick_in_a_flood_with_page_and_gateway_standing_still(own: Rig) -> None:
    with standing_page(own) as page, flooded(own):
        own.driving()
        for pid in (page, own.child("gateway")):
            os.kill(pid, signal.SIGSTOP)
        since_ns = time.monotonic_ns()
        reply = own.stop()
        assert reply.ok, reply.error
        assert own.off_after_ms(since_ns) < SLACK_MS
        os.kill(page, signal.SIGCONT)


@contextlib.contextmanager
def standing_page(rig: Rig) -> Iterator[int]:
    """The real page on this robot; yields its process id once it serves."""
    command = [sys.executable, "-m", "appliance.webui", "--data", str(rig.paths.data), "--port", "0"]
    command += ["--config", str(rig.folder / "raas.yaml"), "--runtime-root", str(rig.paths.runtime.parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as page:
        assert page.stdout is not None
        try:
            assert page.stdout.readline().startswith("http")
            yield page.pid
        finally:
            page.send_signal(signal.SIGCONT)
            page.terminate()


@contextlib.contextmanager
def flooded(rig: Rig) -> Iterator[None]:
    """Frames of 64 MiB at whatever socket the session has, as fast as they go."""
    done = threading.Event()

    def flood() -> None:
        frame = bytes(64 << 20)
        while not done.wait(0.01):
            address = rig.paths.session(int(rig.session or "1", 16)) / wire.SOCKET_NAME
            stranger: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
            with contextlib.closing(stranger), contextlib.suppress(zmq.Again):
                stranger.linger = 0
                stranger.connect(f"ipc://{address}")
                if stranger.poll(100, zmq.POLLOUT):
                    stranger.send(frame, zmq.NOBLOCK)
                    done.wait(0.05)

    attack = threading.Thread(target=flood)
    attack.start()
    try:
        yield
    finally:
        done.set()
        attack.join()


# -- what dies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "within_ms"), [(signal.SIGKILL, SLACK_MS), (signal.SIGSTOP, 300.0 + SLACK_MS)])
def test_a_lost_loop_means_motor_off_a_fault_and_a_new_loop(own: Rig, number: signal.Signals, within_ms: float) -> None:
    job, loop = own.driving(), own.child("loop")
    since_ns = time.monotonic_ns()
    os.kill(loop, number)
    assert own.off_after_ms(since_ns) < within_ms
    assert own.wait_status("the fault", ending="fault").session == ""
    refused = job.act(2.0)
    assert isinstance(refused, wire.Refused)
    assert refused.code is Refusal.FAULT
    own.wait_status("a new loop", loop_alive=True, state="disarmed")
    assert own.child("loop") not in (0, loop)
    assert "over (fault)" in own.lease().error
    eventually(lambda: "verified off" in own.log().split("session")[-1], what="the verified OFF in the log")
    assert own.disarm().ok
    own.driving()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_stop_works_when_the_loop_is_gone_or_stands_still(own: Rig, number: signal.Signals) -> None:
    own.driving()
    since_ns = time.monotonic_ns()
    os.kill(own.child("loop"), number)
    reply = own.stop()
    assert reply.ok, reply.error
    assert own.off_after_ms(since_ns) < SLACK_MS
    own.wait_status("a new loop", loop_alive=True)
    assert own.status().stopped
    own.disarm()
    assert "esume it" in own.arm().error


def test_a_stop_works_when_the_gateway_stands_still_and_disarm_replaces_it(own: Rig) -> None:
    own.driving()
    gateway = own.child("gateway")
    since_ns = time.monotonic_ns()
    os.kill(gateway, signal.SIGSTOP)
    assert own.stop().ok
    assert own.off_after_ms(since_ns) < SLACK_MS
    assert own.disarm().ok
    own.wait_status("a new gateway", gateway_alive=True)
    assert own.child("gateway") != gateway
    own.resume()
    own.wait_ready()


def test_a_new_gateway_opens_the_present_session_again(own: Rig) -> None:
    own.driving()
    killed = own.child("gateway")
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: own.lease().ok and own.child("gateway") not in (0, killed), what="a new process")
    eventually(lambda: own.lease().gateway_alive, what="a new gateway")
    assert own.status().state == "running"
    job = own.job()
    assert isinstance(job.hello(), wire.Welcome)
    assert isinstance(job.act(0.1), wire.Sample)


def test_an_arm_with_a_gateway_that_stands_still_is_undone(own: Rig) -> None:
    own.wait_ready()
    os.kill(own.child("gateway"), signal.SIGSTOP)
    reply = own.arm()
    assert "gateway" in reply.error
    assert not own.paths.session(int(own.session, 16)).exists()
    own.wait_ready()


def test_the_motor_is_off_within_the_dead_mans_time_when_the_guard_is_killed(own: Rig) -> None:
    own.driving()
    loop, gateway = own.child("loop"), own.child("gateway")
    since_ns = time.monotonic_ns()
    own.guard.kill()
    # pigpiod counts the time by its script's waits, which a busy machine stretches.
    assert own.off_after_ms(since_ns) < 1500.0
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in (loop, gateway)), what="the children's end")


def test_the_end_of_the_guard_switches_off_and_leaves_nothing(tmp_path: Path) -> None:
    with running_rig(tmp_path) as rig:
        rig.driving()
        children = rig.child("loop"), rig.child("gateway")
        since_ns = time.monotonic_ns()
        rig.guard.terminate()
        assert rig.guard.wait(10.0) == 0
        assert rig.off_after_ms(since_ns) < 1000.0
        assert not any(Path(f"/proc/{pid}").exists() for pid in children)
        assert not any(rig.paths.control(right).exists() for right in ("stop", "resume", "runner"))
        assert not rig.paths.session(1).parent.exists()


def test_a_lost_twin_ends_the_session_and_off_is_told_when_it_is_back(own: Rig) -> None:
    own.driving()
    own.twin.kill()
    own.wait_status("the fault", ending="fault")
    assert own.stop().stopped


def test_a_second_guard_for_the_same_appliance_is_refused(rig: Rig) -> None:
    command = [sys.executable, "-m", "appliance.realtime.guard", "--data", str(rig.paths.data), "--config"]
    command += [str(rig.folder / "raas.yaml"), "--runtime-root", str(rig.paths.runtime.parent), "--link", "127.0.0.1:1"]
    second = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert second.returncode != 0
    assert "already runs" in second.stderr
    assert rig.status().ok


@pytest.mark.parametrize(
    ("config", "link", "word"), [("robot: {colour: red}\n", "127.0.0.1:1", "colour"), (CONFIG, "nowhere", "HOST:PORT")]
)
def test_a_guard_that_cant_start_says_why(tmp_path: Path, config: str, link: str, word: str) -> None:
    (tmp_path / "raas.yaml").write_text(config)
    command = [sys.executable, "-m", "appliance.realtime.guard", "--data", str(tmp_path), "--config"]
    command += [str(tmp_path / "raas.yaml"), "--runtime-root", str(tmp_path / "run"), "--link", link]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert ended.returncode != 0
    assert word in ended.stderr
