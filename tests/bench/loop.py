"""What does a tick of the loop cost beside one exchange with pigpiod, does it touch the memory manager, and does a flood reach it, or a crowd?

The exchange is what any client would do in a tick: both duties, the dead-man's refresh and the clock in one send, then all four
replies. It is measured against the same twin, on the loop's core and one priority below it, right after the loop's own run.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np

from appliance.benchmark.rig import Rig, running_rig
from appliance.config import Config
from appliance.realtime.cores import loop_core
from appliance.realtime.pigpiod_protocol import REPLY, Cmd, request, words
from tests.bench.process_memory import Memory

SECONDS = 20.0
VIEWERS = 100
DRIVER = """
import sys, time
import gymnasium, gym_raas
env = gymnasium.make('raaspendulum-v1', disable_env_checker=True).unwrapped
end_s, k = time.monotonic() + float(sys.argv[1]), 0
while time.monotonic() < end_s:
    env.step([1.5 if k // 10 % 2 else -1.5])
    k += 1
"""
#: A second environment of the same job: frames of 64 MiB, and small ones as fast as they go.
_FLOOD = """
import sys, zmq
socket = zmq.Context().socket(zmq.DEALER)
socket.linger = 0
socket.connect(sys.argv[1])
large, small = bytes(64 << 20), bytes(24)
while True:
    for frame in (large, *[small] * 100_000):
        try:
            socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            socket.poll(10, zmq.POLLOUT)
"""


@dataclass(frozen=True)
class Loop:
    """Percentiles 50 and 99 of lateness and work, µs; faults and growth of memory while a job drove."""

    late_us: tuple[float, float]
    work_us: tuple[float, float]
    faults: int
    grown_kb: int


@dataclass(frozen=True)
class Found:
    """Two quiet runs, one under a flood, one with viewers, and the exchange."""

    quiet: tuple[Loop, Loop]
    flooded: Loop
    viewed: Loop
    exchange_us: tuple[float, float]


def measure(seconds: float = SECONDS) -> Found:
    """Take quiet, flooded, viewed, quiet, each on a rig of its own; the exchange after the last one."""
    with running_rig() as rig:
        first = _run(rig, seconds, _nothing)
    with running_rig() as rig:
        flooded = _run(rig, seconds, _flooding)
    with running_rig() as rig:
        viewed = _run(rig, seconds, lambda _: _watching(rig, seconds))
    with running_rig() as rig:
        second = _run(rig, seconds, _nothing)
        exchange_us = _exchange(rig, seconds / 4.0)
    return Found((first, second), flooded, viewed, exchange_us)


@contextlib.contextmanager
def _nothing(_address: str) -> Iterator[None]:
    yield


@contextlib.contextmanager
def _flooding(address: str) -> Iterator[None]:
    with subprocess.Popen([sys.executable, "-c", _FLOOD, address]) as flooder:
        try:
            yield
        finally:
            flooder.kill()


@contextlib.contextmanager
def _watching(rig: Rig, seconds: float) -> Iterator[None]:
    """The real page of this robot, and so many who look at it."""
    paths = rig.paths
    page = [sys.executable, "-m", "appliance.webui", "--data", str(paths.data), "--config", str(paths.config)]
    page += ["--runtime-root", str(paths.runtime.parent), "--port", "0"]
    with subprocess.Popen(page, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as web:
        assert web.stdout is not None
        try:
            port = web.stdout.readline().strip().rpartition(":")[2].rstrip("/")
            viewers = [sys.executable, "-m", "tests.bench.audience", port, str(VIEWERS), str(seconds), os.devnull]
            with subprocess.Popen(viewers, stdout=subprocess.PIPE, text=True) as audience:
                assert audience.stdout is not None
                assert audience.stdout.readline() == "connected\n", "all viewers are connected"
                try:
                    yield
                finally:
                    audience.kill()
        finally:
            web.terminate()


def _run(rig: Rig, seconds: float, beside: Callable[[str], AbstractContextManager[None]]) -> Loop:
    with rig.session(seconds + 120.0, os.getgid()) as drive, beside(drive.address):
        driver = [sys.executable, "-W", "ignore", "-c", DRIVER, str(seconds)]
        process = subprocess.Popen(driver, env={**os.environ, "RAAS_ROBOT": drive.address})
        time.sleep(seconds / 4.0)  # whatever is touched for the first time has been touched
        before = Memory.of(rig.loop_pid())
        process.wait()
        after = Memory.of(rig.loop_pid())
        _, ticks = drive.records()
    late_us, work_us = (_percentiles([getattr(tick, name) for tick in ticks]) for name in ("late_us", "work_us"))
    return Loop(late_us, work_us, after.faults - before.faults, after.resident_kb - before.resident_kb)


def _exchange(rig: Rig, seconds: float) -> tuple[float, float]:
    """Once a millisecond, in a thread of the loop's kind; a script slot that is free takes the refresh."""
    realtime = Config().realtime
    batch = request(Cmd.PWM, 13, 0) + request(Cmd.PWM, 19, 0) + request(Cmd.TICK)
    batch += request(Cmd.PROCU, 0, extension=words(99))
    cores, taken_us = os.sched_getaffinity(0), []
    with socket.create_connection(("127.0.0.1", rig.port)) as twin:
        twin.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        os.sched_setaffinity(0, {loop_core(realtime.cpu)})
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(max(1, realtime.priority - 1)))
        try:
            end_s = time.monotonic() + seconds
            while time.monotonic() < end_s:
                begun_s = time.monotonic()
                twin.sendall(batch)
                left = 4 * REPLY.size
                while left:
                    left -= len(twin.recv(left))
                taken_us.append((time.monotonic() - begun_s) * 1e6)
                time.sleep(0.001)
        finally:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
            os.sched_setaffinity(0, cores)
    return _percentiles(taken_us)


def _percentiles(samples: list[float]) -> tuple[float, float]:
    p50, p99 = np.percentile(samples, [50.0, 99.0])
    return float(p50), float(p99)
