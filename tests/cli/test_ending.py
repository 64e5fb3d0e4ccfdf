"""A command that is told to end takes along what it has started."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.patience import eventually
from tests.process_table import processes


def test_a_benchmark_that_is_terminated_leaves_nothing_running() -> None:
    command = [sys.executable, "-m", "appliance.cli", "bench", "realtime", "--seconds", "300", "--pairs", "1"]
    with tempfile.TemporaryDirectory(prefix="end-") as folder:  # short: sockets live in it
        environment = {"TMPDIR": folder, "PATH": "/usr/sbin:/usr/bin:/bin"}
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as bench:
            memory = eventually(lambda: shared_memory(folder), what="a loop at work")
            bench.send_signal(signal.SIGTERM)
            assert bench.wait(30) == 128 + signal.SIGTERM
        assert not list(processes(folder))
        assert not os.listdir(folder)
        assert not [path for path in memory if path.parent.exists()]


def test_a_benchmark_that_is_killed_leaves_nothing_running() -> None:
    command = [sys.executable, "-m", "appliance.cli", "bench", "realtime", "--seconds", "300", "--pairs", "1"]
    with tempfile.TemporaryDirectory(prefix="end-", ignore_cleanup_errors=True) as folder:
        environment = {"TMPDIR": folder, "PATH": "/usr/sbin:/usr/bin:/bin"}
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as bench:
            memory = eventually(lambda: shared_memory(folder), what="a loop at work")
            bench.kill()
        eventually(lambda: not list(processes(folder)), what="their end")
        for path in memory:
            shutil.rmtree(path.parent)


def shared_memory(folder: str) -> set[Path]:
    """Segments of shared memory that processes of that folder have mapped."""
    maps = [Path(f"/proc/{process.pid}/maps").read_text() for process in processes(folder)]
    return {Path(line.split()[-1]) for text in maps for line in text.splitlines() if " /dev/shm/raas-" in line}
