"""A driven robot to break things at: twin, bad link, guard with loop and gateway, a runner's lease and a job that drives."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from appliance.errors import RobotError
from gym_raas import wire
from tests.patience import eventually
from tests.realtime.chaos.pin_watch import PinWatch
from tests.realtime.guard_process import Job, Rig, running_guard
from tests.realtime.loop_process import running_twin

DEAD_MAN_S = 0.3
LEASE_S = 0.6
SILENCE_S = 0.5
CONFIG = f"realtime: {{dead_man_s: {DEAD_MAN_S}, lease_s: {LEASE_S}, job_silence_s: {SILENCE_S}}}\n"


class Repeated:
    """Calls `act()` again and again in a thread until it fails, returns False, or is stopped."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.at_ns: list[int] = []

    @property
    def calls(self) -> int:
        return len(self.at_ns)

    def longest_pause_ms(self, since_ns: int) -> float:
        """Between two calls, of those that ended after `since_ns`."""
        ends = [since_ns, *(at_ns for at_ns in list(self.at_ns) if at_ns > since_ns)]
        return max((after - before for before, after in itertools.pairwise(ends)), default=0) / 1e6

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def act(self) -> bool:
        raise NotImplementedError

    def close(self) -> None:
        """At the end, in the same thread."""

    def _run(self) -> None:
        with contextlib.suppress(RobotError, OSError, AssertionError):
            while not self._stopped.wait(self._pause_s) and self.act():
                self.at_ns.append(time.monotonic_ns())
        self.close()


class Runner(Repeated):
    """Refreshes the lease, as the runner does."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(LEASE_S / 4.0)
        self._rig = rig

    def act(self) -> bool:
        return self._rig.lease().ok


class Driver(Repeated):
    """A job that steps for ever."""

    def __init__(self, job: Job) -> None:
        super().__init__(0.0)
        self._job = job

    def act(self) -> bool:
        action = 1.5 if self.calls // 10 % 2 == 0 else -1.5
        self._job.send(wire.Action(self.calls + 1, action).pack())
        return isinstance(self._job.receive(1.0), wire.Sample)

    def close(self) -> None:
        """The connection stays: its end would switch the motor off before the silence does."""


@dataclass
class Stage:
    """Everything that runs, and how it is broken and mended."""

    folder: Path
    twin: subprocess.Popen[bytes]
    link: subprocess.Popen[bytes]
    port: int
    pins: PinWatch
    guards: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    rig: Rig | None = None
    loop_pid: int = 0

    @property
    def robot(self) -> Rig:
        assert self.rig is not None
        return self.rig

    def tell_link(self, habit: str) -> None:
        assert self.link.stdin is not None
        self.link.stdin.write(f"{habit}\n".encode())
        self.link.stdin.flush()

    def drive(self) -> tuple[Runner, Driver]:
        """Arm and drive until the pins show it."""
        self.recover()
        rig = self.robot
        made: list[tuple[Runner, Driver]] = []

        def drives() -> bool:
            self.recover()
            if not (rig.arm().ok and rig.start().ok):
                return False
            runner, job = Runner(rig), rig.job()
            driver = Driver(job)
            runner.start()
            if not isinstance(job.hello(), wire.Welcome):
                runner.stop()
                return False
            driver.start()
            with contextlib.suppress(AssertionError):
                eventually(lambda: driver.calls > 1 and self.pins.is_on(), 3.0, what="a driven motor")
                made.append((runner, driver))
                return True
            driver.stop()
            runner.stop()
            rig.disarm()
            return False

        eventually(drives, what="a driven robot", then=lambda: rig.log()[-3000:])
        self.loop_pid = rig.child("loop")
        return made[0]

    def recover(self) -> None:
        """A guard that died is started anew; whatever is latched is resumed, as a person would. Returns when the robot is idle."""
        if self.rig is None or self.rig.guard.poll() is not None:
            self.guards.close()
            guard, paths = self.guards.enter_context(running_guard(self.folder, self.port, CONFIG))
            self.rig = Rig(self.folder, paths, self.port, self.twin, guard)
        rig = self.rig

        def ready() -> bool:
            status = rig.status()
            if status.stopped or status.state == "fault":
                rig.resume()
            return status.loop_alive and status.gateway_alive and status.state == "disarmed" and not status.session

        eventually(ready, what="an idle robot", then=lambda: f"{rig.status()}\n{rig.log()[-3000:]}")

    def mend(self) -> None:
        """Undo what was broken; what is dead stays dead."""
        self.tell_link("pass")
        self.twin.send_signal(signal.SIGCONT)
        for pid in (self.robot.guard.pid, self.robot.child("loop"), self.robot.child("gateway")):
            with contextlib.suppress(ProcessLookupError):
                if pid:
                    os.kill(pid, signal.SIGCONT)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Stage]:
    """A stage; everything ends with the block."""
    pins, port_file = folder / "pins", folder / "link-port"
    with running_twin(folder, "--pin-log", str(pins), "--fifo-priority", "50") as (twin, twin_port):
        command = [sys.executable, "-m", "tests.realtime.chaos.bad_link", str(twin_port), str(port_file)]
        link = subprocess.Popen(command, stdin=subprocess.PIPE)
        os.sched_setscheduler(link.pid, os.SCHED_FIFO, os.sched_param(49))
        try:
            eventually(port_file.exists, what="the link's port")
            stage = Stage(folder, twin, link, int(port_file.read_text()), PinWatch(pins))
            with stage.guards:
                yield stage
        finally:
            link.kill()
            link.wait()
