"""A command that is told to end takes along what it has started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile

from tests.patience import eventually
from tests.process_table import processes


def test_a_benchmark_that_is_terminated_leaves_nothing_running() -> None:
    command = [sys.executable, "-m", "appliance.cli", "bench", "realtime", "--seconds", "300", "--pairs", "1"]
    with tempfile.TemporaryDirectory(prefix="end-") as folder:  # short: sockets live in it
        environment = {"TMPDIR": folder, "PATH": "/usr/sbin:/usr/bin:/bin"}
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as bench:
            eventually(lambda: len(list(processes(folder))) >= 3, what="a loop at work")
            bench.send_signal(signal.SIGTERM)
            assert bench.wait(30) == 128 + signal.SIGTERM
        assert not list(processes(folder))
        assert not os.listdir(folder)
