"""How does the page look at the machine without holding up anybody? It asks a child process, and waits as greenlets do."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from gevent.lock import BoundedSemaphore

from appliance.paths import Paths
from appliance.webui.web import Refusal

_TIMEOUT_S: Final = 60.0
#: Looks at the same time; more would take the machine from the robot.
_AT_ONCE: Final = 2
_PATIENCE_S: Final = 30.0

Shape = TypeVar("Shape")


@dataclass(frozen=True)
class Looks:
    """Looks at this appliance, by `appliance.care.onlooker`."""

    paths: Paths
    config_file: Path
    _places: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(_AT_ONCE))

    def at(self, shape: type[Shape], look: str, *more: str) -> Shape:
        """What a look finds. Raises Refusal where it can't be done."""
        return msgspec.json.decode(self.raw(look, *more), type=shape)

    def raw(self, look: str, *more: str) -> bytes:
        """The bytes that a look answers with. Raises Refusal."""
        command = [sys.executable, "-m", "appliance.care.onlooker", look, "--data", str(self.paths.data)]
        command += ["--config", str(self.config_file), "--runtime-root", str(self.paths.runtime.parent), *more]
        if not self._places.acquire(timeout=_PATIENCE_S):
            raise Refusal(503, "busy", "Others are looking at the machine. Try again in a minute.")
        try:
            done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Refusal(503, "look_failed", "The machine couldn't be looked at; it is busy. Try again.") from error
        finally:
            self._places.release()
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise Refusal(
                503, "look_failed", f"The machine couldn't be looked at: {said[-1] if said else 'no reason given'}"
            )
        return done.stdout
