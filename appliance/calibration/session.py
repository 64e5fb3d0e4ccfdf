"""What did a session on the robot record that a model can be fitted to? Its trace, cut into runs, from a job's bundle.

The loop wrote it, each millisecond with its own time, so clock and commands are exact. A run is short, because an open
loop drifts off: the fit gives each its own start. Runs in which the arm doesn't move say nothing and are left out.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import yaml

from appliance.calibration.recordings import BadRecording, Run, Series, check_kind
from gym_raas.parameters import Robot, RobotFileError, robot_from

RUN_S: Final = 2.5
SAMPLE_S: Final = 0.01
_LEAST_COUNTS: Final = 6
_MAX_ENTRY_BYTES: Final = 64 << 20
_COLUMNS: Final = ("t_us", "counts", "command")


def read_bundle(path: Path) -> tuple[Robot, list[Run]]:
    """The robot under which a job ran, and its runs. Raises BadRecording."""
    try:
        with zipfile.ZipFile(path) as archive:
            robot = robot_from(yaml.safe_load(entry(archive, "robot.yaml")), "robot.yaml")
            with np.load(io.BytesIO(entry(archive, "trace.npz")), allow_pickle=False) as trace:
                t_us, counts, commands = (np.asarray(trace[name]) for name in _COLUMNS)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, yaml.YAMLError, RobotFileError) as error:
        raise BadRecording(f"{path.name} holds no recording of a job: {error}") from error
    check_kind(robot)
    return robot, runs_of(t_us / 1e6, counts.astype(np.int64), commands.astype(np.float64), robot)


def entry(archive: zipfile.ZipFile, name: str) -> bytes:
    """A file of a bundle, wherever in it. Raises KeyError if it is not there or too large."""
    found = next((entry for entry in archive.infolist() if entry.filename.rpartition("/")[2] == name), None)
    if found is None or found.file_size > _MAX_ENTRY_BYTES:
        raise KeyError(f"no {name} of a sensible size")
    return archive.read(found)


def runs_of(t_s: Series, counts: npt.NDArray[np.int64], commands: Series, robot: Robot) -> list[Run]:
    """The runs in a trace's ticks (columns of equal length). Raises BadRecording if the arm moves in none."""
    found = []
    for part in _parts(t_s):
        if np.ptp(counts[part]) < _LEAST_COUNTS:
            continue
        keep = _kept(t_s[part], commands[part]) + part.start
        angles = counts[keep] * robot.encoder.rad_per_count
        name = f"{t_s[part.start]:.1f} s"
        found.append(Run(name, t_s[keep], angles, commands[keep], powered=True, sideways=False, from_hanging=True))
    if not found:
        raise BadRecording("The arm didn't move in this job, so there is nothing to fit.")
    return found


def _parts(t_s: Series) -> Iterator[slice]:
    """Pieces of RUN_S without a break in time; a short rest is left out."""
    breaks = np.flatnonzero((np.diff(t_s) <= 0.0) | (np.diff(t_s) > 0.05)) + 1
    ends = [0, *breaks.tolist(), len(t_s)]
    for first, end in pairwise(ends):
        begin = first
        while begin < end and t_s[end - 1] - t_s[begin] >= RUN_S / 2:
            cut = begin + int(np.searchsorted(t_s[begin:end], t_s[begin] + RUN_S))
            yield slice(begin, cut)
            begin = cut


def _kept(t_s: Series, commands: Series) -> npt.NDArray[np.int64]:
    """Ticks at a steady pace, and those at which the command changes: from there on the new one acts."""
    steady = np.searchsorted(t_s, np.arange(t_s[0], t_s[-1], SAMPLE_S))
    return np.union1d(steady, np.flatnonzero(np.diff(commands)) + 1).astype(np.int64)
