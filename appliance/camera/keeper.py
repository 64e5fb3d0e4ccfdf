"""Who makes sure that somebody looks through the camera? A thread of the runner, whose child the camera's process is.

A stranger's stream is read there and not in the runner: it may use memory, hang or fall without anybody else noticing.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Final

from appliance.backoff import Backoff
from appliance.paths import Paths

#: What `camera.url` says for the test source.
TEST: Final = "test"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0
_LOOK_S: Final = 0.2

_log = logging.getLogger("runner")


def keep(url: str, paths: Paths, config_file: Path, stopping: threading.Event) -> None:
    """Start the camera's process, and again whenever it falls, until told to stop. Raises OSError."""
    module = "appliance.camera.drawn" if url == TEST else "appliance.camera"
    command = [
        sys.executable, "-m", module, "--data", str(paths.data), "--config", str(config_file),
        "--runtime-root", str(paths.runtime.parent), "--parent", str(os.getpid()),
    ]  # fmt: skip
    pauses = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
    while not stopping.is_set():
        began_s = time.monotonic()
        with subprocess.Popen(command, stdin=subprocess.DEVNULL) as child:
            while child.poll() is None and not stopping.wait(_LOOK_S):
                pass
            child.kill()  # it is whole after each picture
        paths.camera_picture.unlink(missing_ok=True)
        if not stopping.is_set():
            pause_s = pauses.after(time.monotonic() - began_s)
            _log.warning("the camera's process ended with status %s; starts again in %.0f s", child.returncode, pause_s)
            stopping.wait(pause_s)
