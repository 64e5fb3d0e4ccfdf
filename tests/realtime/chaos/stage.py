"""A driven robot to break things at: twin, bad link, guard with loop and gateway, a runner's lease and a job that drives."""

from __future__ import annotations

import contextlib
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
from appliance.realtime.twin.pinlog import PinRecord, read
from gym_raas import wire
from tests.patience import eventually
from tests.realtime.guard_process import Job, Rig, running_guard
from tests.realtime.loop_process import running_twin

DEAD_MAN_S = 0.3
LEASE_S = 0.6
SILENCE_S = 0.5
CONFIG = f"realtime: {{dead_man_s: {DEAD_MAN_S}, lease_s: {LEASE_S}, job_silence_s: {SILENCE_S}}}\n"
_LOG_FLUSHED_S = 0.12


class Repeated:
    """Calls `act()` again and again in a thread until it fails, returns False, or is stopped."""

    def __init__(self, pause_s: float) -> None:
        self._pause_s = pause_s
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.calls = 0

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
                self.calls += 1
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
    pins_file: Path
    guards: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    rig: Rig | None = None
    armed_ns: int = 0
    off_ns: int = 0
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
        """Arm and drive until the pins show it; a guard that died is started anew."""
        if self.rig is None or self.rig.guard.poll() is not None:
            self.guards.close()
            guard, paths = self.guards.enter_context(running_guard(self.folder, self.port, CONFIG))
            self.rig = Rig(self.folder, paths, self.port, self.twin, guard)
        rig = self.rig
        made: list[tuple[Runner, Driver]] = []

        def drives() -> bool:
            self._ready(rig)
            self.armed_ns = time.monotonic_ns()
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
                eventually(lambda: driver.calls > 1 and is_on(self.pins()), 3.0, what="a driven motor")
                made.append((runner, driver))
                return True
            driver.stop()
            runner.stop()
            rig.disarm()
            return False

        eventually(drives, what="a driven robot", then=lambda: rig.log()[-3000:])
        self.loop_pid = rig.child("loop")
        return made[0]

    def _ready(self, rig: Rig) -> None:
        """Idle; whatever is latched is resumed, as a person would. Nothing has moved since it went off."""
        assert not self.on_again(), "the motor went on without a new arm"

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

    def pins(self) -> list[PinRecord]:
        return read(self.pins_file)

    def wait_off(self, since_ns: int, patience_s: float = 10.0) -> float:
        """Milliseconds from `since_ns` until both pins were off for good, as far as is known yet."""

        def off_at() -> int:
            pins = self.pins()
            if is_on(pins):
                return 0
            driven = [index for index, pin in enumerate(pins) if is_driven(pin)]
            return pins[driven[-1] + 1].t_ns

        eventually(off_at, patience_s, what="the pins to go off")
        time.sleep(_LOG_FLUSHED_S)
        self.off_ns = eventually(off_at, patience_s, what="the pins to stay off")
        return max(0.0, (self.off_ns - since_ns) / 1e6)

    def on_again(self) -> bool:
        """Whether a pin has been driven since it was seen to be off."""
        return any(is_driven(pin) for pin in self.pins() if pin.t_ns > self.off_ns) if self.off_ns else False


def is_driven(pin: PinRecord) -> bool:
    return bool(pin.forward or pin.backward)


def is_on(pins: list[PinRecord]) -> bool:
    return bool(pins) and is_driven(pins[-1])


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
            stage = Stage(folder, twin, link, int(port_file.read_text()), pins)
            with stage.guards:
                yield stage
        finally:
            link.kill()
            link.wait()
