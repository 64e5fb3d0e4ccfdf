"""What was recorded of a pendulum? Runs of angle over time, read from CSV files in three formats.

- `t_s,angle_rad,counts`: a free swing, motor unpowered, hanging.
- `command,t_s,angle_rad,counts`: the pendulum lies on its side (no gravity along the swing), one command held.
- `run,powered,t_s,command,angle_rad,counts`: hanging, angles from hanging, of one sitting; the command may change.

A file may hold several runs: a new one begins where time falls back or jumps, and, on its side, with another command.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from appliance.errors import RaasError
from gym_raas.kinds.known import PENDULUM
from gym_raas.parameters import Robot

Series = npt.NDArray[np.float64]

MAX_FILE_BYTES: Final = 16 << 20
#: Below this a run says nothing: three numbers of its start are fitted anyway.
MIN_SAMPLES: Final = 8
_MAX_SAMPLES: Final = 200_000
#: A pause of so many usual sample intervals ends a run.
_GAP: Final = 5.0
_MAX_COMMAND: Final = 40_000.0
_MAX_ANGLE_RAD: Final = 1e5
_MAX_TIME_S: Final = 1e7


class BadRecording(RaasError):
    """A file that is no recording; the message names file, line and what is expected."""


@dataclass(frozen=True)
class Run:
    """Angle over time from one start. `commands[i]` acts from sample i to sample i + 1; arrays have equal length N.

    sideways: no gravity along the swing. powered: the bridge is on, so it brakes at command 0. from_hanging: angles count
    from hanging, but for a shift that all such runs of a fit share.
    """

    name: str
    times_s: Series
    angles_rad: Series
    commands: Series
    powered: bool
    sideways: bool
    from_hanging: bool = False

    @property
    def command(self) -> float | None:
        """The command, where it is the same all the time."""
        return float(self.commands[0]) if np.all(self.commands == self.commands[0]) else None


@dataclass(frozen=True)
class _Row:
    line: int
    run: str
    powered: bool
    command: float
    t_s: float
    angle_rad: float


def check_kind(robot: Robot) -> None:
    """Only the pendulum's model can be fitted and scored. Raises BadRecording for a robot of another kind."""
    if robot.kind != PENDULUM.name:
        raise BadRecording(
            f"{robot.name!r} is a {robot.kind}, and only a {PENDULUM.noun} can be calibrated or scored. Its constants are "
            "set by hand, in its file."
        )


def read(path: Path) -> list[Run]:
    """All runs of a file. Raises BadRecording."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
        text = raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadRecording(f"{path} can't be read as a CSV file: {error}") from error
    if len(raw) > MAX_FILE_BYTES:
        raise BadRecording(f"{path} is longer than {MAX_FILE_BYTES >> 20} MiB, so it is no recording.")
    return runs_of(text, path.name)


def runs_of(text: str, name: str) -> list[Run]:
    """All runs in a file's text; `name` stands in messages and in the runs' names. Raises BadRecording."""
    lines = csv.reader(text.splitlines())
    try:
        header = [title.strip() for title in next(lines, [])]
        rows = list(_rows(header, lines, name))
    except csv.Error as error:
        raise BadRecording(f"{name}, line {lines.line_num}: {error}") from error
    sideways = "command" in header and "powered" not in header
    pieces = [piece for piece in _split(rows, each_command=sideways) if len(piece) >= MIN_SAMPLES]
    if not pieces:
        raise BadRecording(f"{name} holds no run of {MIN_SAMPLES} samples or more.")
    own = "run" in header and "powered" in header
    return [_run(piece, f"{name}#{index}", sideways=sideways, from_hanging=own) for index, piece in enumerate(pieces)]


def _rows(header: Sequence[str], lines: Iterator[list[str]], name: str) -> Iterator[_Row]:
    missing = [title for title in ("t_s", "angle_rad") if title not in header]
    if missing:
        raise BadRecording(
            f"{name} has no column {' and no column '.join(missing)}; expected is a first line like "
            "t_s,angle_rad,counts (free swing) or command,t_s,angle_rad,counts (driven, on its side)."
        )
    for number, cells in enumerate(lines, start=2):
        if not cells:
            continue
        if number > _MAX_SAMPLES:
            raise BadRecording(f"{name} has more than {_MAX_SAMPLES} lines; cut it into pieces.")
        if len(cells) != len(header):
            raise BadRecording(f"{name}, line {number}: {len(cells)} values given; expected are {len(header)}.")
        given = dict(zip(header, cells, strict=True))
        yield _Row(
            number,
            given.get("run", ""),
            given.get("powered", "1" if "command" in given else "0").strip() == "1",
            _number(given.get("command", "0"), _MAX_COMMAND, name, number, "command"),
            _number(given["t_s"], _MAX_TIME_S, name, number, "t_s"),
            _number(given["angle_rad"], _MAX_ANGLE_RAD, name, number, "angle_rad"),
        )


def _number(text: str, largest: float, name: str, line: int, column: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not abs(value) <= largest:
        raise BadRecording(f"{name}, line {line}: {column} is {text[:40]!r}; expected is a number.")
    return value


def _split(rows: Sequence[_Row], *, each_command: bool) -> Iterator[list[_Row]]:
    steps_s = [after.t_s - before.t_s for before, after in pairwise(rows) if after.t_s > before.t_s]
    usual_s = float(np.median(steps_s)) if steps_s else 0.0
    piece: list[_Row] = []
    for row in rows:
        if piece:
            last = piece[-1]
            goes_on = 0.0 < row.t_s - last.t_s <= _GAP * usual_s
            same = (row.run, row.powered) == (last.run, last.powered)
            if not (goes_on and same) or (each_command and row.command != last.command):
                yield piece
                piece = []
        piece.append(row)
    yield piece


def _run(rows: Sequence[_Row], name: str, *, sideways: bool, from_hanging: bool) -> Run:
    return Run(
        name,
        np.array([row.t_s for row in rows]),
        np.array([row.angle_rad for row in rows]),
        np.array([row.command for row in rows]),
        rows[0].powered,
        sideways,
        from_hanging,
    )
