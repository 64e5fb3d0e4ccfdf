"""Which pendulum does an environment drive? The real one where the appliance offers it, else a simulated one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from gym_raas import bucket, robot_client, robot_download, wire
from gym_raas.imperfect import ImperfectPlant
from gym_raas.imperfections import Imperfections
from gym_raas.parameters import Robot, load_robot
from gym_raas.plant import Plant
from gym_raas.simulation import SimulatedPlant

Choice = Robot | Path | str | None
#: How imperfect a simulation is: 'none', 'measured', or as said.
Flaws = Imperfections | str


def choose(robot: Choice = None, imperfections: Flaws = "none") -> Plant:
    """The plant for a new environment; naming a robot asks for its simulation (see `named_robot`).

    `imperfections` of a simulation: 'none', 'measured', or an Imperfections; a real robot has its own. Raises
    RobotFileError, ValueError, or errors.RobotError where there should be a real robot and isn't.
    """
    if not isinstance(imperfections, Imperfections) and imperfections not in ("none", "measured"):
        raise ValueError(f"imperfections {imperfections!r} given; expected is 'none', 'measured' or an Imperfections")
    address = robot_address(os.environ) if robot is None else None
    if address is not None:
        return robot_client.RobotClient(address)
    named = named_robot(robot)
    if imperfections == "none":
        return SimulatedPlant(named)
    flaws = imperfections if isinstance(imperfections, Imperfections) else Imperfections.measured(named)
    return ImperfectPlant(named, flaws)


def named_robot(robot: Choice) -> Robot:
    """The robot that is meant: a Robot, a file, an appliance (http://HOST), one of a fleet (s3://BUCKET/f/FLEET/pi/MEMBER).

    None is the packaged one. Raises RobotFileError.
    """
    if isinstance(robot, Robot):
        return robot
    if isinstance(robot, str) and robot.startswith(bucket.SCHEME):
        return bucket.load_robot(robot)
    if isinstance(robot, str) and robot.startswith(("http://", "https://")):
        return robot_download.fetch(robot)
    return load_robot(None if robot is None else Path(robot))


def robot_address(environment: Mapping[str, str], job_folder: Path = Path(wire.JOB_SOCKET_DIR)) -> str | None:
    """Where the robot's gateway listens; None means that this program doesn't run in an appliance's cell."""
    given = environment.get(wire.ENVIRONMENT_VARIABLE)
    if given is not None:
        return given or None  # set to nothing: a trial in an appliance's cell, without the robot
    return f"ipc://{job_folder / wire.SOCKET_NAME}" if job_folder.is_dir() else None
