"""A Docker Engine of a test's own, in a network namespace of its own, that may be stopped and started at will."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from appliance.lifeline import die_with_parent

#: Starts an engine, says its version, waits for the end of its input, and stops it.
PROGRAM = """
import pathlib, sys
from appliance.engine import ensure_engine
with ensure_engine(pathlib.Path(sys.argv[1]), sys.argv[2]) as client:
    print(client.version()["Version"], flush=True)
    sys.stdin.readline()
"""


class SecondEngine:
    """`host` is its address; `start()` and `stop()` keep its images."""

    def __init__(self, folder: Path, network: str) -> None:
        self.host = f"unix://{folder}/docker.sock"
        self._command = [
            "nsenter",
            f"--net=/run/netns/{network}",
            "--",
            sys.executable,
            "-c",
            PROGRAM,
            str(folder),
            self.host,
        ]
        self._program: subprocess.Popen[str] | None = None

    def start(self) -> None:
        tests = os.getpid()
        self._program = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=lambda: die_with_parent(tests, signal.SIGTERM),  # noqa: PLW1509 - between fork and exec it makes one system call
        )  # fmt: skip
        assert self._program.stdout is not None
        assert self._program.stdout.readline()[:1].isdigit(), "the engine has started"

    def stop(self) -> None:
        if self._program is not None:
            self._program.communicate("\n", timeout=90)
            self._program = None


@contextmanager
def second_engine() -> Iterator[SecondEngine]:
    """An engine that runs, with no image in it."""
    network = f"raas-{uuid.uuid4().hex[:8]}"
    subprocess.run(["ip", "netns", "add", network], check=True)
    with tempfile.TemporaryDirectory(prefix="raas-", ignore_cleanup_errors=True) as name:
        engine = SecondEngine(Path(name), network)
        try:
            engine.start()
            yield engine
        finally:
            engine.stop()
            for line in reversed(Path("/proc/mounts").read_text().splitlines()):
                if line.split()[1].startswith(name):
                    subprocess.run(["umount", "--lazy", line.split()[1]], check=False)
            subprocess.run(["ip", "netns", "delete", network], check=True)
