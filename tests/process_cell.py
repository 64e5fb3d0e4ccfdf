"""A cell that is an ordinary child process: the same face as Docker's, without any wall, for tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from appliance.errors import EngineError, EngineRefusal
from appliance.running.cell import Cell, Exit, Finding, Spec
from appliance.running.output import Capture


class ProcessCell:
    """One run of run.py as a process group of this machine."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self._source = os.open(spec.source, os.O_PATH)  # as a mount does, it follows a renaming
        self._process: subprocess.Popen[bytes] | None = None
        self.is_removed = False

    @property
    def has_run(self) -> bool:
        """Whether it was started."""
        return self._process is not None

    def start(self, capture: Capture) -> None:
        """Let run.py begin; `finish` takes its output in."""
        self._capture = capture
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the cell
        self._process = subprocess.Popen(
            [sys.executable, "-u", "run.py"],
            cwd=f"/proc/{os.getpid()}/fd/{self._source}",
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
        )

    def wait(self, timeout_s: float) -> bool:
        """Whether it has ended."""
        if self._process is None:
            return self.is_removed
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def terminate(self) -> None:
        """SIGTERM."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self._signal(signal.SIGKILL)

    def finish(self) -> Exit:
        """How it ended."""
        assert self._process is not None
        code = self._process.wait(10)
        self._output.seek(0)
        self._capture.feed(self._output.read())
        return Exit(code if code >= 0 else 128 - code, False)

    def remove(self) -> None:
        """Kill what is left."""
        if not self.is_removed:
            os.close(self._source)
        self.is_removed = True
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._output.close()

    def _signal(self, number: int) -> None:
        assert self._process is not None
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            pass


class ProcessCells:
    """Makes them, and remembers which.

    `absent` is what an engine that is down says, `refused` what one says to cells of an image.
    """

    def __init__(self) -> None:
        self.made: list[ProcessCell] = []
        self.absent = ""
        self.findings: tuple[Finding, ...] = ()
        self.refused: dict[str, str] = {}
        self.sweeps = 0

    def problem(self) -> str:
        """'' or `absent`."""
        return self.absent

    def create(self, spec: Spec) -> ProcessCell:
        """A new one."""
        if self.absent:
            raise EngineError(self.absent)
        if spec.fitting.image in self.refused:
            raise EngineRefusal(self.refused[spec.fitting.image])
        self.made.append(ProcessCell(spec))
        return self.made[-1]

    def prove(self, waiting: Cell, output: Path) -> tuple[Finding, ...]:
        """There is no limit to try."""
        return self.findings

    def version(self) -> str:
        """Of nothing."""
        return "processes"

    def sweep(self, keep: Collection[str] = ()) -> int:
        """Remove all but those of these names."""
        self.sweeps += 1
        left = [cell for cell in self.made if not cell.is_removed and cell.spec.name not in keep]
        for cell in left:
            cell.remove()
        return len(left)
