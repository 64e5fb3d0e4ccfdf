"""What is broken on purpose, and how soon both pins must be off then. Bounds are those of the layer that has to act."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import zmq

from gym_raas import wire
from tests.realtime.chaos.stage import DEAD_MAN_S, LEASE_S, SILENCE_S, Driver, Runner, Stage
from tests.realtime.chaos.tally import Promise

REFRESH_S = 0.008
TICK_S = 0.001
STEP_S = 0.05
DELAY_S = 0.25


@dataclass(frozen=True)
class Scene:
    """The moment in which something breaks."""

    stage: Stage
    runner: Runner
    driver: Driver
    chance: random.Random


@dataclass(frozen=True)
class Fault:
    """A class of faults, and how one is injected."""

    promise: Promise
    inject: Callable[[Scene], object]


def _signal_child(name: str, number: signal.Signals) -> Callable[[Scene], None]:
    return lambda scene: os.kill(scene.stage.robot.child(name), number)


def _signal_guard(number: signal.Signals) -> Callable[[Scene], None]:
    return lambda scene: scene.stage.robot.guard.send_signal(number)


def _kill_both(scene: Scene) -> None:
    os.kill(scene.stage.loop_pid, signal.SIGKILL)
    scene.stage.robot.guard.kill()


def _link(habit: str) -> Callable[[Scene], None]:
    return lambda scene: scene.stage.tell_link(habit)


def _freeze_twin(scene: Scene) -> None:
    scene.stage.twin.send_signal(signal.SIGSTOP)
    time.sleep(scene.chance.uniform(0.05, 0.6))
    scene.stage.twin.send_signal(signal.SIGCONT)


def _job_gone(scene: Scene) -> None:
    scene.driver.stop()
    scene.stage.robot.jobs.pop().close()


def _malformed(scene: Scene) -> None:
    """Frames of another connection that mean nothing, or nearly mean something."""
    with _stranger(scene) as socket:
        for _ in range(50):
            frame = bytearray(wire.Action(scene.chance.randrange(1 << 32), 1.0).pack())
            for _ in range(scene.chance.randrange(1, 4)):
                frame[scene.chance.randrange(len(frame))] = scene.chance.randrange(256)
            socket.send(
                bytes(frame) if scene.chance.random() < 0.5 else scene.chance.randbytes(scene.chance.randrange(64))
            )


def _flood(scene: Scene) -> None:
    with _stranger(scene) as socket:
        frame = bytes(1 << 20)
        until_s = time.monotonic() + 0.3
        while time.monotonic() < until_s:
            if socket.poll(10, zmq.POLLOUT):
                socket.send(frame, zmq.NOBLOCK)


def _stranger(scene: Scene) -> zmq.Socket[bytes]:
    robot = scene.stage.robot
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(f"ipc://{robot.paths.session(int(robot.session, 16)) / wire.SOCKET_NAME}")
    return socket


def _stop(scene: Scene) -> None:
    """The answer isn't waited for: the time runs from the request."""
    threading.Thread(target=scene.stage.robot.stop, daemon=True).start()


_DEAD_MAN = DEAD_MAN_S + 2 * REFRESH_S

FAULTS = (
    Fault(Promise("loop killed", 0.0, "guard"), _signal_child("loop", signal.SIGKILL)),
    Fault(Promise("loop stopped", DEAD_MAN_S, "guard, dead-man"), _signal_child("loop", signal.SIGSTOP)),
    Fault(Promise("guard killed", _DEAD_MAN, "loop dies with it, dead-man"), _signal_guard(signal.SIGKILL)),
    Fault(Promise("loop and guard killed", _DEAD_MAN, "dead-man"), _kill_both),
    Fault(Promise("guard stopped", LEASE_S, "loop: lease"), _signal_guard(signal.SIGSTOP)),
    Fault(Promise("gateway killed", SILENCE_S + STEP_S, "loop: silence"), _signal_child("gateway", signal.SIGKILL)),
    Fault(Promise("gateway stopped", SILENCE_S + STEP_S, "loop: silence"), _signal_child("gateway", signal.SIGSTOP)),
    Fault(Promise("link cut", _DEAD_MAN, "dead-man"), _link("cut")),
    Fault(Promise("link slow", DELAY_S + _DEAD_MAN, "loop, dead-man"), _link(f"delay {DELAY_S}")),
    Fault(Promise("link answers errors", _DEAD_MAN, "loop, dead-man"), _link("errors")),
    Fault(Promise("encoder report lost", 2 * STEP_S, "loop: encoder lost"), _link("gap")),
    Fault(Promise("no encoder reports", DEAD_MAN_S, "loop: encoder lost"), _link("deaf")),
    Fault(Promise("twin frozen", None, "recovery only", recovers=True), _freeze_twin),
    Fault(Promise("job gone", 0.0, "gateway"), _job_gone),
    Fault(Promise("job silent", SILENCE_S + 2 * TICK_S, "loop: silence"), lambda scene: scene.driver.stop()),
    Fault(Promise("runner silent", LEASE_S, "loop: lease"), lambda scene: scene.runner.stop()),
    Fault(Promise("emergency stop", 0.0, "guard and loop"), _stop),
    Fault(Promise("malformed frames", None, "gateway"), _malformed),
    Fault(Promise("flood of frames", None, "gateway"), _flood),
)
