"""The link alone: against the twin, and against a peer that answers what a test tells it to."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pigpio
import pytest

from appliance.realtime.connection import targets
from appliance.realtime.link import Received
from appliance.realtime.pigpiod_link import PigpiodLink
from appliance.realtime.telemetry import Fault
from gym_raas.parameters import Robot, load_robot
from tests.patience import eventually
from tests.realtime.loop_process import running_twin

# pigpio's own client leaves its thread behind when it stops.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")

ROBOT = load_robot()
HARDWARE = dataclasses.replace(ROBOT, pwm=dataclasses.replace(ROBOT.pwm, mode="hardware", frequency_hz=20_000))


def now_us() -> int:
    return time.monotonic_ns() // 1000


class Driven:
    """A link with somebody who ticks it."""

    def __init__(self, port: int, robot: Robot = ROBOT, dead_man_s: float = 0.5) -> None:
        self.link = PigpiodLink(targets("localhost", port), robot, dead_man_s)
        self.command: float | None = None
        self.faults: set[Fault] = set()
        self.counts = 0
        self.received = Received(False, Fault.NONE, (), False, 0)

    def tick(self) -> bool:
        self.received = self.link.receive(now_us())
        self.faults.add(self.received.fault)
        self.counts += len(self.received.reports)
        self.link.send(now_us(), self.command)
        return self.received.up

    def until(self, condition: Callable[[], object], what: str) -> None:
        eventually(lambda: self.tick() is None or condition(), what=what, pause_s=0.002)  # as a loop at 500 Hz

    def up(self) -> Driven:
        self.until(lambda: self.received.up, "set-up")
        self.faults.clear()
        return self

    def run_for(self, seconds: float) -> None:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self.tick()
            time.sleep(0.001)


@contextlib.contextmanager
def observer(port: int) -> Iterator[pigpio.pi]:
    pi = pigpio.pi("127.0.0.1", port, show_errors=False)
    pigpio.exceptions = False
    try:
        yield pi
    finally:
        pigpio.exceptions = True
        pi.stop()


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with running_twin(tmp_path) as (_, port):
        yield port


def test_set_up_configures_pwm_and_starts_one_dead_man_whoever_was_there_before(port: int) -> None:
    with observer(port) as pi:
        left_over = pi.store_script(b"tag 1 mils 100 jmp 1")
        Driven(port).up()
        assert pi.get_PWM_range(ROBOT.pins.forward) == ROBOT.pwm.range
        assert pi.get_PWM_frequency(ROBOT.pins.forward) == ROBOT.pwm.frequency_hz
        state, parameters = pi.script_status(left_over)  # its slot is the dead-man's now
        assert state == pigpio.PI_SCRIPT_RUNNING
        assert 0 < parameters[0] < 100


@pytest.mark.parametrize("robot", [ROBOT, HARDWARE], ids=["software", "hardware"])
def test_a_command_is_the_duty_of_one_pin_and_off_is_no_pwm_at_all(port: int, robot: Robot) -> None:
    driven = Driven(port, robot).up()
    forward, backward = robot.pins.forward, robot.pins.backward
    with observer(port) as pi:
        share = {"software": robot.pwm.range, "hardware": 1_000_000}[robot.pwm.mode]
        for command, active, idle in ((480.0, forward, backward), (-240.0, backward, forward)):
            driven.command = command
            driven.run_for(0.05)
            assert pi.get_PWM_dutycycle(active) == pytest.approx(abs(command) / robot.pwm.range * share)
            assert pi.get_PWM_dutycycle(idle) in (0, pigpio.PI_NOT_PWM_GPIO)
        driven.command = None
        driven.run_for(0.05)
        assert [pi.get_PWM_dutycycle(pin) for pin in (forward, backward)] == [pigpio.PI_NOT_PWM_GPIO] * 2
        assert [pi.read(pin) for pin in (forward, backward)] == [0, 0]


def test_motion_comes_in_as_reports_with_the_robot_s_time(port: int) -> None:
    driven = Driven(port).up()
    driven.command = 480.0
    driven.until(lambda: driven.counts > 10, "edges")
    driven.until(lambda: driven.received.reports, "an edge")
    age_us = driven.received.now_tick_us - driven.received.reports[-1].tick_us
    assert -1_000 < age_us < 500_000
    assert not driven.received.lost_reports


def test_the_robot_s_clock_may_wrap(tmp_path: Path) -> None:
    """The tick wraps about a second after the start."""
    offset_us = (1 << 32) - now_us() % (1 << 32) + (1 << 32) - 2_000_000
    with running_twin(tmp_path, "--tick-offset-us", str(offset_us % (1 << 32))) as (_, port):
        driven = Driven(port).up()
        ticks: list[int] = []

        def moved_for(span_us: int) -> bool:
            driven.command = 480.0 if now_us() // 300_000 % 2 else -480.0
            ticks.extend(report.tick_us for report in driven.received.reports)
            return bool(ticks) and ticks[-1] - ticks[0] > span_us

        driven.until(lambda: moved_for(3_000_000), "three seconds of motion")
        assert ticks == sorted(ticks)
        assert ticks[-1] - ticks[0] < 30_000_000


def test_a_dead_man_that_trips_is_a_slow_link_and_is_taken_back_only_when_the_motor_is_off(port: int) -> None:
    driven = Driven(port, dead_man_s=0.8).up()
    driven.command = 480.0
    driven.run_for(0.1)
    time.sleep(2.0)  # this loop stands still; the script doesn't
    driven.until(lambda: Fault.LINK_SLOW in driven.faults, "the fault")
    with observer(port) as pi:
        assert pi.read(ROBOT.pins.forward) == 0
        driven.command = 240.0  # whoever goes on driving gets nothing but a pulse of 2 ms
        driven.run_for(0.2)
        assert pi.get_PWM_dutycycle(ROBOT.pins.forward) == pigpio.PI_NOT_PWM_GPIO

        def runs_again() -> bool:
            driven.command = None
            driven.run_for(0.3)
            driven.command = 480.0
            driven.run_for(0.2)
            return bool(pi.get_PWM_dutycycle(ROBOT.pins.forward) == 480)

        eventually(runs_again, what="the latch to be taken back")


def test_without_a_loop_the_dead_man_switches_off_and_keeps_off(port: int) -> None:
    driven = Driven(port, dead_man_s=0.05).up()
    driven.command = 480.0
    driven.run_for(0.1)
    with observer(port) as pi:
        eventually(lambda: pi.get_PWM_dutycycle(ROBOT.pins.forward) == pigpio.PI_NOT_PWM_GPIO, what="the dead-man")
        pi.set_PWM_dutycycle(ROBOT.pins.forward, 480)  # a stale client
        eventually(lambda: pi.get_PWM_dutycycle(ROBOT.pins.forward) == pigpio.PI_NOT_PWM_GPIO, what="the latch")


def test_a_dead_man_that_somebody_deletes_breaks_the_link_which_then_sets_up_anew(port: int) -> None:
    driven = Driven(port).up()
    with observer(port) as pi:
        for script in range(3):
            pi.delete_script(script)
    driven.until(lambda: not driven.received.up, "the break")
    driven.up()


def test_a_robot_that_freezes_is_slow_and_then_lost(tmp_path: Path) -> None:
    with running_twin(tmp_path) as (twin, port):
        driven = Driven(port, dead_man_s=0.2).up()
        os.kill(twin.pid, signal.SIGSTOP)
        driven.until(lambda: Fault.LINK_SLOW in driven.faults, "slow")
        driven.until(lambda: Fault.LINK_LOST in driven.faults, "lost")
        os.kill(twin.pid, signal.SIGCONT)
        driven.up()


def test_nobody_there_costs_a_tick_nothing_and_is_a_lost_link() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    driven = Driven(port)
    driven.run_for(0.6)
    assert driven.faults == {Fault.LINK_LOST}
    longest_us = 0
    for _ in range(50):
        began_us = now_us()
        driven.tick()
        longest_us = max(longest_us, now_us() - began_us)
    assert longest_us < 50_000


@pytest.mark.parametrize(
    "answer", [b"", b"\x00" * 16, b"\xff" * 16, b"\x04" + b"\xff" * 15, os.urandom(64)], ids=["end", "0", "f", "4", "?"]
)
def test_a_peer_that_talks_nonsense_is_a_lost_link_and_nothing_worse(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def talk() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        connection.recv(4096)
                        connection.sendall(answer)

        threading.Thread(target=talk, daemon=True).start()
        driven = Driven(server.getsockname()[1])
        driven.run_for(0.7)
        assert driven.faults == {Fault.LINK_LOST}
        server.shutdown(socket.SHUT_RDWR)


def test_a_robot_that_is_away_costs_no_memory_though_nobody_collects_garbage() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, but nobody listens
        link = PigpiodLink(targets("127.0.0.1", nobody.getsockname()[1]), load_robot(), 0.1)
        gc.collect()
        gc.disable()
        try:
            for now_us in range(0, 20_000_000, 250_000):
                assert not link.receive(now_us).up
            attempts = [found for found in gc.get_objects() if type(found).__name__ == "_Attempt"]
        finally:
            gc.enable()
        assert len(attempts) <= 1
