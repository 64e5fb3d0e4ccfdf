"""A guard without a robot, over the real control socket's protocol: for tests of whoever talks to it.

It settles at once, makes real segments and writes steps into them, ends sessions by deadline and lease as the real one
does, and can be made faulty, stopped or absent.
"""

from __future__ import annotations

import math
import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from appliance.paths import Paths
from appliance.realtime.control import (
    Arm,
    Disarm,
    Lease,
    Reply,
    Request,
    Resume,
    Settle,
    Start,
    Stop,
)
from appliance.realtime.telemetry import Segment, SegmentSize, StepRecord, TickRecord
from tests.control_sockets import ControlSockets


@dataclass
class Guarded:
    """The session under way."""

    name: str
    limit_s: float
    leased_s: float
    started_s: float | None = None
    ending: str = ""


@dataclass
class FakeGuard:
    """Start it with `open()`; `close()` it in the end. `log` holds every request but status and lease."""

    paths: Paths
    lease_s: float = 1.0
    settle_s: float = 0.0
    steps: int = 3
    refuse: dict[type[msgspec.Struct], str] = field(default_factory=dict)
    log: list[tuple[float, Request]] = field(default_factory=list)
    session: Guarded | None = None
    fault: str = "none"
    stopped: Stop | None = None
    leases: int = 0
    standard: bool = False  # the steps are those of the standard task

    def open(self) -> FakeGuard:
        """Listen."""
        self._lock = threading.RLock()
        self._sockets = ControlSockets(self.paths, self._answer)
        return self

    def close(self) -> None:
        """Vanish, with all connections, as a killed process does."""
        self._sockets.close()

    def requests(self) -> list[type[Request]]:
        """Kinds of what was asked, in order."""
        return [type(request) for _, request in self.log]

    def break_down(self, fault: str) -> None:
        """The robot is faulty from now on."""
        with self._lock:
            self.fault = fault
            self._end("fault")

    def resume(self) -> None:
        """Clear fault and stop."""
        with self._lock:
            self.fault, self.stopped = "none", None

    def _answer(self, request: Request) -> Reply:
        if isinstance(request, Settle) and not self.stopped:
            time.sleep(self.settle_s)
        with self._lock:
            self._expire()
            if isinstance(request, Lease):
                self.leases += 1
            elif type(request).__name__ != "Status":
                self.log.append((time.monotonic(), request))
            return self._reply(self.refuse.get(type(request)) or self._carry_out(request))

    def _carry_out(self, request: Request) -> str:
        session = self.session
        if isinstance(request, Stop):
            self.stopped = request
            self._end("stopped")
        elif isinstance(request, Resume):
            self.resume()
        elif isinstance(request, Settle | Arm) and (self.stopped or self.fault != "none"):
            return "The robot is stopped or faulty. Resume it first."
        elif isinstance(request, Arm):
            self._arm(request)
        elif isinstance(request, Start | Lease):
            if session is None or session.name != request.session or session.ending:
                return "There is no such session."
            session.leased_s = time.monotonic()
            if isinstance(request, Start):
                session.started_s = session.leased_s
        elif isinstance(request, Disarm) and session is not None and session.name == request.session:
            self._end("disarmed")
        return ""

    def _arm(self, arm: Arm) -> None:
        number = int(arm.session, 16)
        self.paths.session(number).mkdir(parents=True, exist_ok=True)
        make = write_standard if self.standard else write_segment
        make(self.paths.segment(number), number, self.steps, arm.limit_s)
        self.session = Guarded(arm.session, arm.limit_s, time.monotonic())

    def _end(self, ending: str) -> None:
        if self.session is not None and not self.session.ending:
            self.session.ending = ending

    def _expire(self) -> None:
        now_s, session = time.monotonic(), self.session
        if session is None:
            return
        if session.started_s is not None and now_s > session.started_s + session.limit_s:
            self._end("deadline")
        if now_s > session.leased_s + self.lease_s:
            self._end("lease")

    def _reply(self, error: str) -> Reply:
        session, stop = self.session, self.stopped
        present = session is not None and not session.ending
        state = "stopped" if stop else "fault" if self.fault != "none" else "running" if present else "disarmed"
        return Reply(
            ok=not error,
            error=error,
            state=state,
            fault=self.fault,
            stopped=stop is not None,
            stop_who=stop.who if stop else "",
            stop_why=stop.why if stop else "",
            session=session.name if session and present else "",
            ending=session.ending if session else "",
            settle_s=self.settle_s,
        )


def write_standard(path: Path, session: int, _steps: int, _limit_s: float) -> None:
    """A segment in which the arm hangs still through one episode of the standard task."""
    Segment.create(path, session, SegmentSize.for_limit(25.0, 1000, 0.05))
    os.chmod(path, 0o640)
    segment = Segment(path, writable=True)
    for k in range(1, 401):
        start_us = (k - 1) * 50_000
        step = StepRecord(k, start_us, start_us + 90, start_us + 50_007, 0, math.pi, 0.0, 0.0, 0.0, math.pi**2, 0, 0)
        segment.append_step(step)
    segment.close()


def write_segment(path: Path, session: int, steps: int, limit_s: float = 2.0) -> None:
    """A segment with so many steps of 50 ms, and a tick for each millisecond of them."""
    Segment.create(path, session, SegmentSize.for_limit(limit_s, 1000, 0.05))
    os.chmod(path, 0o640)
    segment = Segment(path, writable=True)
    for k in range(1, steps + 1):
        start_us, end_us = 100_000 + (k - 1) * 50_000, 100_000 + k * 50_000
        segment.append_step(
            StepRecord(k, start_us, start_us + 90, end_us + 7, k, 3.0 + k / 10, 0.5 * k, 1.5, 375.0, 9.5, 1, 0)
        )
    for tick in range(50 * steps):
        segment.append_tick(TickRecord(tick * 1000, tick, 0.5, 375.0, 0, 40, 80))
    segment.close()
