"""Would a motor loop get its means here? `python -m appliance.care.realtime_trial CORE PRIORITY` asks for them and tells.

A process of its own, because what it gets must end with it; on another core than the loop's, so that it disturbs nobody.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

from appliance.realtime import machine

_TIMEOUT_S: Final = 20.0


def report(loop_core: int, priority: int) -> str:
    """The line that a loop of this user would have said; empty where it couldn't be tried."""
    others = os.sched_getaffinity(0) - {loop_core}
    core = min(others or {loop_core})
    command = [sys.executable, "-m", "appliance.care.realtime_trial", str(core), str(priority)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


if __name__ == "__main__":
    sys.stdout.write(machine.prepare(int(sys.argv[1]), int(sys.argv[2])) + "\n")
