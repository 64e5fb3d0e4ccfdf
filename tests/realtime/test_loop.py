"""The motor loop as a process of its own, against the twin over TCP."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.realtime.messages import CommandKind, NoticeKind
from appliance.realtime.telemetry import Fault, RobotState, Segment
from appliance.realtime.twin import pinlog
from gym_raas import wire
from gym_raas.wire import Kind, Refused, ResetMode, Sample
from tests.patience import eventually
from tests.realtime.loop_process import LoopProcess, running_loop, running_twin


def up(loop: LoopProcess) -> LoopProcess:
    loop.wait_until(lambda live: live.state == RobotState.DISARMED, "the loop to be ready")
    return loop


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[LoopProcess]:
    with running_twin(tmp_path, "--pin-log", str(tmp_path / "pins")) as (_, port), running_loop(tmp_path, port) as loop:
        yield up(loop)


def pin_command(folder: Path) -> float:
    records = pinlog.read(folder / "pins")
    return records[-1].command if records else 0.0


def test_an_action_reaches_the_bridge_and_is_answered_at_its_boundary(loop: LoopProcess, tmp_path: Path) -> None:
    assert loop.arm().kind == NoticeKind.DONE
    samples = [loop.step(action) for action in (2.0, 2.0, -2.0, 0.0)]
    loop.ask(CommandKind.DISARM)
    eventually(lambda: len(pinlog.read(tmp_path / "pins")) >= 3 and pin_command(tmp_path) == 0.0, what="the pin log")
    driven = [round(record.command) for record in pinlog.read(tmp_path / "pins")]
    assert [command for command in driven if command][:1] == [480]
    assert -480 in driven
    assert [sample.command for sample in samples] == [480.0, 480.0, -480.0, 0.0]


def test_steps_lie_on_the_grid_and_are_all_recorded(loop: LoopProcess) -> None:
    loop.arm()
    samples = [loop.step(1.5 if n % 8 < 4 else -1.5) for n in range(40)]
    loop.ask(CommandKind.DISARM)
    segment = Segment(loop.paths.segment(loop.session), writable=False)
    steps, ticks = list(segment.steps()), list(segment.ticks())
    segment.close()
    assert [step.k for step in steps] == [sample.k for sample in samples]
    assert [step.sample_us for step in steps] == [sample.t_us for sample in samples]
    # Never before the boundary; the median is robust against a machine that is busy with something else.
    off_us = sorted(step.sample_us - steps[0].received_us - step.k * 50_000 for step in steps)
    assert off_us[0] > -2_000
    assert abs(off_us[20]) < 5_000
    assert len(ticks) > 1000
    assert [tick.t_us for tick in ticks] == sorted(tick.t_us for tick in ticks)


def test_it_settles_finds_the_zero_and_can_reset_within_a_session(loop: LoopProcess) -> None:
    first, second = loop.ask(CommandKind.SETTLE, 30.0), loop.ask(CommandKind.SETTLE, 30.0)
    assert (first.kind, second.kind) == (NoticeKind.DONE, NoticeKind.DONE)
    assert abs(second.counts) <= 1
    loop.arm()
    for action in (2.0, 2.0, -2.0):
        loop.step(action)
    reply = loop.request(Kind.RESET, mode=ResetMode.SETTLE)
    assert isinstance(reply, Sample)
    assert reply.flags & wire.Flag.SETTLED
    assert reply.duration_s > 0.2
    assert abs(reply.counts) <= 5
    assert loop.step(1.0).k == 1


def test_a_killed_loop_s_motor_is_off_within_the_dead_man_s_budget(tmp_path: Path) -> None:
    config = "realtime: {lease_s: 10.0, dead_man_s: 0.2, priority: 0}\n"
    with running_twin(tmp_path, "--pin-log", str(tmp_path / "pins")) as (_, port):
        with running_loop(tmp_path, port, config) as loop:
            up(loop).arm()
            loop.step(2.0)
            eventually(lambda: pin_command(tmp_path) > 0.0, what="the motor to run")
            killed_ns = loop.wait_until(lambda live: live.command > 0.0, "the loop to drive").t_ns
            loop.process.send_signal(signal.SIGKILL)
            loop.process.wait()
        eventually(lambda: pin_command(tmp_path) == 0.0, what="the dead-man")
    off_ns = pinlog.read(tmp_path / "pins")[-1].t_ns
    assert 0.0 < (off_ns - killed_ns) * 1e-9 < 2.0  # the budget, and what a crowded machine adds


def test_sigterm_switches_off_before_the_process_ends(loop: LoopProcess, tmp_path: Path) -> None:
    loop.arm()
    loop.step(2.0)
    loop.process.send_signal(signal.SIGTERM)
    assert loop.process.wait(10.0) == 0
    eventually(lambda: pin_command(tmp_path) == 0.0, what="the motor to be off")


def test_a_robot_that_dies_in_a_session_is_a_fault_and_the_next_one_can_be_used(tmp_path: Path) -> None:
    with running_twin(tmp_path) as (twin, port), running_loop(tmp_path, port) as loop:
        up(loop).arm()
        loop.step(2.0)
        twin.kill()
        loop.wait_until(lambda live: live.state == RobotState.FAULT and live.fault == Fault.LINK_LOST, "the fault")
        refused = loop.request(Kind.ACTION, 1.0)
        assert isinstance(refused, Refused)
        assert refused.code is wire.Refusal.FAULT
        twin.wait()
        (tmp_path / "port").unlink()
        with running_twin(tmp_path, "--port", str(port)):
            loop.wait_until(lambda live: live.state == RobotState.FAULT, "the latch")
            eventually(
                lambda: loop.ask(CommandKind.RESUME) and up(loop).arm().kind == NoticeKind.DONE, what="a new session"
            )
            assert loop.step(1.0).k == 1


def test_a_frozen_robot_is_a_slow_link_and_never_on_again_by_itself(tmp_path: Path) -> None:
    with (
        running_twin(tmp_path, "--pin-log", str(tmp_path / "pins")) as (twin, port),
        running_loop(tmp_path, port) as loop,
    ):
        up(loop).arm()
        loop.step(2.0)
        twin.send_signal(signal.SIGSTOP)
        loop.wait_until(lambda live: live.state == RobotState.FAULT, "the fault")
        twin.send_signal(signal.SIGCONT)
        eventually(lambda: pin_command(tmp_path) == 0.0, what="the motor to be off")
        thawed = len(pinlog.read(tmp_path / "pins"))
        loop.ask(CommandKind.RESUME)
        up(loop)
        assert all(record.command == 0.0 for record in pinlog.read(tmp_path / "pins")[thawed:])


def test_datagrams_of_a_wrong_size_are_nobody_s(loop: LoopProcess) -> None:
    loop.arm()
    for size in (1, 7, 100, 500):
        loop.gateway.send(b"\xff" * size)
        loop.guard.send(b"\xff" * size)
    assert loop.step(1.0).k == 1
