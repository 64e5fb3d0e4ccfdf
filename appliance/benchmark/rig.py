"""What is measured? Guard, loop and gateway against a twin of their own, in temporary folders, beside whatever else runs."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance import ulid
from appliance.errors import RobotError
from appliance.lifeline import die_with_parent
from appliance.paths import Paths
from appliance.realtime import control
from appliance.realtime.control import GuardClient
from appliance.realtime.cores import off_loop_core
from appliance.realtime.telemetry import Segment, StepRecord, TickRecord
from appliance.realtime.twin import pinlog
from appliance.realtime.twin.pinlog import PinRecord

_READY_S = 60.0
_SETTLE_S = 60.0


@dataclass(frozen=True)
class Drive:
    """A session in which something may drive: `address` is for `gym_raas.robot_client` and RAAS_ROBOT."""

    address: str
    segment: Path

    def records(self) -> tuple[list[StepRecord], list[TickRecord]]:
        """All steps and ticks recorded so far."""
        segment = Segment(self.segment, writable=False)
        try:
            return list(segment.steps()), list(segment.ticks())
        finally:
            segment.close()


@dataclass(frozen=True)
class Rig:
    """A running robot."""

    paths: Paths
    pin_log: Path
    port: int
    guard_log: Path
    guard_pid: int

    @contextlib.contextmanager
    def session(self, limit_s: float, gid: int = 0) -> Iterator[Drive]:
        """Settle, arm and start; disarm at the end. The lease is kept by a thread."""
        number = secrets.token_hex(8)
        over = threading.Event()
        keeper = threading.Thread(target=self._keep_lease, args=(number, over), daemon=True)
        with GuardClient(self.paths.control("runner")) as guard:
            guard.demand(control.Settle(_SETTLE_S), _SETTLE_S + 5.0)
            guard.demand(control.Arm(number, ulid.new(time.time()), limit_s, gid))
            keeper.start()
            guard.demand(control.Start(number))
            segment = self.paths.segment(int(number, 16))
            try:
                yield Drive(f"ipc://{self.paths.session(int(number, 16)) / 'robot'}", segment)
            finally:
                over.set()
                keeper.join()
                guard.ask(control.Disarm(number))
                segment.unlink(missing_ok=True)

    def means(self) -> str:
        """What the loop said at its start of the real-time means it was granted."""
        said = [line.partition("real-time: ")[2] for line in self.guard_log.read_text().splitlines()]
        return next((line for line in reversed(said) if line), "")

    def loop_pid(self) -> int:
        """The loop's process."""
        children = Path(f"/proc/{self.guard_pid}/task/{self.guard_pid}/children").read_text().split()
        return next(pid for pid in map(int, children) if b"realtime.loop" in Path(f"/proc/{pid}/cmdline").read_bytes())

    def pins(self) -> list[PinRecord]:
        """Every change at the bridge's pins, on the monotonic clock."""
        return pinlog.read(self.pin_log)

    def _keep_lease(self, number: str, over: threading.Event) -> None:
        with GuardClient(self.paths.control("runner")) as guard:
            while not over.wait(0.2):
                guard.ask(control.Lease(number))


@contextlib.contextmanager
def running_rig(config: str = "") -> Iterator[Rig]:
    """Start a twin and the real-time processes; stop them at the end. Raises RobotError when they don't come up.

    config: text of their raas.yaml; as it is, all defaults hold.
    """
    with tempfile.TemporaryDirectory(prefix="raas-") as name, contextlib.ExitStack() as stack:
        stack.enter_context(off_loop_core(-1))  # as the appliance does with everything but the loop
        folder = Path(name)
        paths, pin_log = Paths.of(folder / "data", folder / "run"), folder / "pins"
        for path in (paths.data, paths.runtime):
            path.mkdir(parents=True)
        stack.callback(shutil.rmtree, paths.shm, ignore_errors=True)  # the one place of it that isn't in the folder
        paths.config.write_text(config)
        port_file = folder / "port"
        twin = ["appliance.realtime.twin", "--port", "0", "--port-file", str(port_file)]
        stack.enter_context(_process([*twin, "--pin-log", str(pin_log), "--fifo-priority", "50"], folder))
        _wait(port_file.exists, "The twin")
        port = int(port_file.read_text())
        link = f"127.0.0.1:{port}"
        guard = ["appliance.realtime.guard", "--data", str(paths.data), "--config", str(paths.config)]
        guard += ["--runtime-root", str(paths.runtime.parent), "--link", link]
        guard_pid = stack.enter_context(_process(guard, folder))
        _wait(lambda: _is_ready(paths), "The motor loop")
        yield Rig(paths, pin_log, port, folder / f"{guard[0]}.log", guard_pid)


@contextlib.contextmanager
def _process(module: list[str], folder: Path) -> Iterator[int]:
    ours = os.getpid()
    with (folder / f"{module[0]}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *module], stdout=log, stderr=log, stdin=subprocess.DEVNULL,
            preexec_fn=lambda: die_with_parent(ours, signal.SIGTERM),  # noqa: PLW1509 - between fork and exec it makes one system call
        )  # fmt: skip
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(20)


def _is_ready(paths: Paths) -> bool:
    try:
        with GuardClient(paths.control("runner")) as guard:
            found = guard.ask(control.Status())
            return found.loop_alive and found.state == "disarmed"
    except RobotError:
        return False


def _wait(is_there: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + _READY_S
    while not is_there():
        if time.monotonic() > deadline_s:
            raise RobotError(f"{what} did not come up within {_READY_S:.0f} s.")
        time.sleep(0.02)
