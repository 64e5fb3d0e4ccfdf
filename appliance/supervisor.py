"""Who keeps the processes running where no service manager does? A small one, for `raas up`.

Children run in sessions of their own (Ctrl-C reaches only us), die with us, write to one log file each, are
restarted with a growing pause when they fall, and are stopped in reverse order of their start.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from appliance.backoff import Backoff
from appliance.errors import RaasError
from appliance.lifeline import die_with_parent

_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 10.0
_TAIL_LINES: Final = 12


class StartFailed(RaasError):
    """A process did not come up."""


@dataclass
class Child:
    """One process: its command line, and how long it may take to stop after SIGTERM."""

    name: str
    command: Sequence[str]
    log: Path
    stop_s: float = 10.0
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    backoff: Backoff = field(default_factory=lambda: Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S))
    restart_at_s: float | None = None
    starts: int = 0

    def start(self, now_s: float) -> None:
        """Run it."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        ours = os.getpid()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=lambda: _stay_with(ours),  # noqa: PLW1509 - this process has one thread when it starts children
            )
        self.started_s, self.restart_at_s = now_s, None
        self.starts += 1

    @property
    def exit_status(self) -> int | None:
        """Exit status, negative for a signal; None while it runs."""
        return None if self.process is None else self.process.poll()

    @property
    def pid(self) -> int:
        """Its process id; 0 while it doesn't run."""
        return self.process.pid if self.process is not None and self.process.poll() is None else 0

    def tail(self) -> str:
        """The last lines it wrote."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-_TAIL_LINES:])

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if it doesn't listen; its own children see to themselves."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(self.stop_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Supervisor:
    """Starts, watches and stops children. `say(name, event)` hears of every unexpected end."""

    say: Callable[[str, str], None]
    children: list[Child] = field(default_factory=list)

    def start(self, child: Child, is_ready: Callable[[], bool], timeout_s: float) -> None:
        """Start a child and wait until it is ready. Raises StartFailed with its last words."""
        child.start(time.monotonic())
        self.children.append(child)
        deadline_s = time.monotonic() + timeout_s
        while not is_ready():
            if child.exit_status is not None:
                raise StartFailed(f"{child.name} ended with status {child.exit_status}:\n{child.tail()}")
            if time.monotonic() > deadline_s:
                raise StartFailed(f"{child.name} isn't ready after {timeout_s:.0f} s:\n{child.tail()}")
            time.sleep(0.02)

    def watch(self, now_s: float) -> None:
        """Restart what has fallen and is due; call this a few times a second."""
        for child in self.children:
            if child.exit_status is None:
                continue
            if child.restart_at_s is None:
                pause_s = child.backoff.after(now_s - child.started_s)
                child.restart_at_s = now_s + pause_s
                self.say(child.name, f"ended with status {child.exit_status}; starts again in {pause_s:.2f} s")
            elif now_s >= child.restart_at_s:
                child.start(now_s)

    def restart(self, name: str, now_s: float) -> None:
        """Stop a child and start it again, on purpose; nothing where there is none of this name."""
        for child in self.children:
            if child.name == name:
                child.stop()
                child.start(now_s)

    def stop(self) -> None:
        """Stop all children, the last started first."""
        for child in reversed(self.children):
            child.stop()


def _stay_with(parent: int) -> None:
    if not die_with_parent(parent, signal.SIGTERM):
        os._exit(os.EX_OK)
