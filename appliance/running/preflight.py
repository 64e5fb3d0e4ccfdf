"""Will a program run at all? Tried for a few seconds in the cell that it will have, against the simulation, without the robot.

That cell has no place for the robot's socket, so gym_raas simulates. What ends with an error there would have ended so on the robot.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from appliance.errors import BadSource, Cancelled, EngineError
from appliance.intake import tree
from appliance.running import cell
from appliance.running.cell import Cells, Exit, Spec
from appliance.running.output import Capture

_LOOK_S: Final = 0.05
_MOST_CROWDED: Final = 6.0
_OUTPUT_BYTES: Final = 64 << 10
_SHOWN_LINES: Final = 8
_SHOWN_BYTES: Final = 1200


@dataclass(frozen=True)
class Trial:
    """What makes cells for trials, which are labelled apart from those of jobs, and how long each lasts."""

    cells: Cells
    tag: str
    seconds: float


def labels(tag: str) -> str:
    """The value of the first label of trial cells, by which left-over ones are found."""
    return f"{tag}-trial"


def try_out(spec: Spec, trial: Trial, folder: Path, cancelled: Callable[[], bool]) -> str:
    """Run the program; returns the verdict as a sentence. Raises BadSource with its last words if it fails.

    `folder` (made, and removed at the end) takes the output; raises Cancelled and EngineError, too.
    """
    with _emptied(folder):
        capture = Capture(folder / "output.log", _OUTPUT_BYTES)
        try:
            end, took_s = _run(spec, trial, capture, cancelled)
            capture.finish()
            return _verdict(end, took_s, folder / "output.log")
        finally:
            capture.close()


def crowding(load: float, cores: int) -> float:
    """How much longer everything takes, so that a busy machine's trial gets as far as a quiet one's.

    >>> [crowding(load, 4) for load in (0.5, 8.0, 1000.0)]
    [1.0, 2.0, 6.0]
    """
    return min(max(load / cores, 1.0), _MOST_CROWDED)


def _run(spec: Spec, trial: Trial, capture: Capture, cancelled: Callable[[], bool]) -> tuple[Exit | None, float]:
    """How it ended (None: it was still running) and after how long, s."""
    trial.cells.sweep()
    made = trial.cells.create(replace(spec, labels={cell.LABEL: labels(trial.tag)}, simulated=True))
    try:
        patience_s = trial.seconds * crowding(os.getloadavg()[0], os.cpu_count() or 1)
        begun_s = time.monotonic()
        made.start(capture)
        while not made.wait(_LOOK_S):
            if cancelled():
                raise Cancelled("The job was cancelled while it was tried on the simulation.")
            if time.monotonic() - begun_s >= patience_s:
                made.kill()
                made.finish()
                return None, patience_s
        return made.finish(), time.monotonic() - begun_s
    finally:
        with contextlib.suppress(EngineError):
            made.remove()


def _verdict(end: Exit | None, took_s: float, log: Path) -> str:
    if end is None:
        return f"Pre-flight: will run. It ran {took_s:.0f} s on the simulation without an error."
    if end.code == 0:
        return f"Pre-flight: will run. It ended by itself after {took_s:.1f} s on the simulation."
    why = "ran out of memory" if end.out_of_memory else f"ended with exit code {end.code}"
    said = tree.plain(log.read_bytes()[-_SHOWN_BYTES:].decode(errors="replace"), _SHOWN_BYTES, lines=True)
    lines = "\n".join(said.splitlines()[-_SHOWN_LINES:])
    raise BadSource(
        f"Pre-flight: will not run. On the simulation run.py {why} after {took_s:.1f} s"
        + (f":\n{lines}" if lines else " and had printed nothing.")
    )


@contextlib.contextmanager
def _emptied(folder: Path) -> Iterator[None]:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)
