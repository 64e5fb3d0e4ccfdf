"""Whose constants hold: those of robot.file, or of a fit that the owner has taken on the page?

The page keeps `DATA/settings/robot.json`: the fits that were taken, newest last. Whoever reads it trusts nothing in it: a fit
holds if it differs from robot.file in constants and provenance alone, so that a page that was taken over reaches neither
pins nor limits. It holds over the file that it was taken over: who puts another in its place has decided anew.

What moves and guards the motor doesn't come here; it reads robot.file alone, which only root writes.
"""

from __future__ import annotations

import dataclasses
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from appliance import durable
from appliance.config import Config
from appliance.errors import Conflict
from appliance.paths import Paths
from gym_raas import parameters
from gym_raas.parameters import Robot, RobotFileError

_MOST_KEPT: Final = 10
_MOST_BYTES: Final = 2 * _MOST_KEPT * parameters.MAX_FILE_BYTES


class Taken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A fit that was taken. job: whose recording it fits; over: the parameter hash of robot.file at that time."""

    at_s: float
    by: str
    job: str
    over: str
    robot_yaml: str


@dataclass(frozen=True)
class RobotInUse:
    """What holds: `robot`, whose file reads `content`. taken: None where it is robot.file itself.

    before: what going back leads to. problem: why something that was taken doesn't hold; '' if nothing is wrong.
    """

    robot: Robot
    content: bytes
    taken: Taken | None = None
    before: Robot | None = None
    problem: str = ""


def path(paths: Paths) -> Path:
    """Where the page keeps what was taken."""
    return paths.data / "settings" / "robot.json"


def file_of(config: Config) -> Path:
    """The robot's file: as configured, else the packaged one."""
    return Path(config.robot.file) if config.robot.file else parameters.PACKAGED


def load(file: Path, paths: Paths) -> RobotInUse:
    """What holds on an appliance whose robot.file is `file`. Raises RobotFileError for that file only."""
    content = _bytes(file)
    base = parameters.parse_robot(content, str(file))
    kept, problem = _kept(paths)
    held = []
    for taken in reversed(kept):
        try:
            held.append((taken, _robot(base, taken)))
        except RobotFileError as error:
            problem = problem or str(error)
        if len(held) == 2:
            break
    if not held:
        return RobotInUse(base, content, problem=problem)
    taken, robot = held[0]
    return RobotInUse(robot, taken.robot_yaml.encode(), taken, held[1][1] if len(held) == 2 else base, problem)


def take(file: Path, paths: Paths, robot_yaml: str, *, job: str, by: str, at_s: float) -> None:
    """Let a fit hold from the next job on, durably. Raises Conflict where it can't, RobotFileError for `file`."""
    base = parameters.load_robot(file)
    taken = Taken(at_s, by, job, base.parameter_hash, robot_yaml)
    try:
        _robot(base, taken)
    except RobotFileError as error:
        raise Conflict(f"{error}. Start the experiment again, and fit it.") from error
    same = [one for one in _kept(paths)[0] if one.over == taken.over]
    _keep(paths, [*same, taken][-_MOST_KEPT:])


def go_back(file: Path, paths: Paths) -> None:
    """Let the fit before the newest hold, or robot.file. Raises Conflict if nothing was taken, RobotFileError for `file`."""
    held, (kept, _) = load(file, paths), _kept(paths)
    if held.taken is None:
        raise Conflict("Nothing was taken on this page, so there is nothing to go back from.")
    _keep(paths, kept[: kept.index(held.taken)])


def _kept(paths: Paths) -> tuple[list[Taken], str]:
    """What the page has kept, oldest first, unchecked; or why that can't be read."""
    try:
        return _read(path(paths)), ""
    except (OSError, msgspec.DecodeError) as error:
        return [], f"{path(paths)} can't be used ({type(error).__name__}); robot.file holds"


def _robot(base: Robot, taken: Taken) -> Robot:
    """The robot with a taken fit's constants. Raises RobotFileError where the fit doesn't hold over `base`."""
    if taken.over != base.parameter_hash:
        raise RobotFileError("The fit was taken over another robot.file; that file has changed since, and holds")
    robot = parameters.parse_robot(taken.robot_yaml.encode(), "The fit")
    if dataclasses.replace(robot, model=base.model, fitted=base.fitted) != base:
        raise RobotFileError("The fit is of a robot with other pins, limits, PWM, encoder or name than robot.file has")
    return robot


def _keep(paths: Paths, kept: list[Taken]) -> None:
    target = path(paths)
    target.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    durable.write(target, msgspec.json.format(msgspec.json.encode(kept)))


def _bytes(file: Path) -> bytes:
    try:
        with file.open("rb") as stream:
            return stream.read(parameters.MAX_FILE_BYTES + 1)
    except OSError as error:
        raise RobotFileError(f"{file}: can't be read: {error}") from error


def _read(file: Path) -> list[Taken]:
    """What was taken; nothing where there is no file. Follows no link and waits for no pipe."""
    try:
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    with open(handle, "rb") as stream:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError("it is no file")
        return msgspec.json.decode(stream.read(_MOST_BYTES), type=list[Taken])
