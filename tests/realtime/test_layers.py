"""Each layer of safety alone: what would help it stands still, or has so much time that it can't have been it.

1 limits, 2 silence, 3 dead-man script, 4 guard, 5 pins without the loop, 7 emergency stop. Layer 6 is hardware: pull-downs
and a button that cuts the supply are held against the drawing in `tests/hardware`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.realtime import motor_off
from appliance.realtime.pins_off import Link
from gym_raas import wire
from gym_raas.parameters import load_robot
from tests.patience import eventually
from tests.realtime.guard_process import Rig, running_rig

#: No layer but the one under test has so little time: whatever happens sooner, it was that one.
OTHERS_S = 1.0
SILENCE_S = 0.3
DEAD_MAN_S = 0.2


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """A process stands still for the length of the block."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


@pytest.fixture
def slow_dead_man(tmp_path: Path) -> Iterator[Rig]:
    """The dead-man script and the lease need at least `OTHERS_S`."""
    config = f"realtime: {{lease_s: 10.0, dead_man_s: {OTHERS_S}, job_silence_s: {SILENCE_S}}}\n"
    with running_rig(tmp_path, config) as rig:
        yield rig


def test_1_limits_hold_without_the_guard(slow_dead_man: Rig) -> None:
    robot = load_robot()
    job = slow_dead_man.driving(0.5)
    with stopped(slow_dead_man.guard.pid):
        for action in (1e9, -1e9, 1e9):
            assert isinstance(job.act(action), wire.Sample)
        job.bye()
    eventually(lambda: slow_dead_man.pins()[-1].command == 0.0, what="the end of driving")
    most = robot.limits.action * robot.pwm.command_per_action
    driven = [abs(pin.command) for pin in slow_dead_man.pins()]
    assert 0.9 * most < max(driven) <= most + 1e-9


def test_2_a_silent_job_is_switched_off_without_guard_and_dead_man(slow_dead_man: Rig) -> None:
    job = slow_dead_man.driving()
    with stopped(slow_dead_man.guard.pid):
        assert isinstance(job.act(1.5), wire.Sample)
        since_ns = time.monotonic_ns()
        assert slow_dead_man.off_after_ms(since_ns) < 1e3 * OTHERS_S
    assert slow_dead_man.wait_status("a session that goes on", state="running").session == slow_dead_man.session


def test_3_the_dead_man_switches_off_without_loop_and_guard(tmp_path: Path) -> None:
    with running_rig(tmp_path, f"realtime: {{lease_s: 10.0, dead_man_s: {DEAD_MAN_S}, job_silence_s: 30}}\n") as rig:
        rig.driving()
        with stopped(rig.guard.pid), stopped(rig.child("loop")):
            assert rig.off_after_ms(time.monotonic_ns()) >= 500.0 * DEAD_MAN_S


def test_4_the_guard_switches_off_before_a_dead_man_could(slow_dead_man: Rig) -> None:
    slow_dead_man.driving()
    since_ns = time.monotonic_ns()
    os.kill(slow_dead_man.child("loop"), signal.SIGKILL)
    assert slow_dead_man.off_after_ms(since_ns) < 1e3 * OTHERS_S


def test_5_the_pins_are_switched_off_past_loop_and_guard(slow_dead_man: Rig) -> None:
    slow_dead_man.driving()
    pins = load_robot().pins
    with stopped(slow_dead_man.guard.pid), stopped(slow_dead_man.child("loop")):
        since_ns = time.monotonic_ns()
        said = motor_off.switch_off(Link("127.0.0.1", slow_dead_man.port), (pins.forward, pins.backward))
        assert "off" in said
        assert slow_dead_man.off_after_ms(since_ns) < 1e3 * OTHERS_S


def test_7_a_stop_needs_neither_loop_nor_dead_man_nor_gateway(slow_dead_man: Rig) -> None:
    slow_dead_man.driving()
    with stopped(slow_dead_man.child("gateway")):
        since_ns = time.monotonic_ns()
        os.kill(slow_dead_man.child("loop"), signal.SIGSTOP)  # the guard replaces it
        assert slow_dead_man.stop().ok
        assert slow_dead_man.off_after_ms(since_ns) < 1e3 * OTHERS_S
