"""Which pendulum does an environment drive? The real one where the appliance offers it, else a simulated one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from gym_raas import bucket, robot_client, wire
from gym_raas.parameters import Robot, load_robot
from gym_raas.plant import Plant
from gym_raas.simulation import SimulatedPlant

Choice = Robot | Path | str | None


def choose(robot: Choice = None) -> Plant:
    """The plant for a new environment; naming a robot file, a Robot, or one in a fleet asks for its simulation.

    A robot in a fleet is called s3://BUCKET/f/FLEET/pi/MEMBER (see `bucket`). Raises RobotFileError, or errors.RobotError where there should be a real robot and isn't.
    """
    if isinstance(robot, Robot):
        return SimulatedPlant(robot)
    if isinstance(robot, str) and robot.startswith(bucket.SCHEME):
        return SimulatedPlant(bucket.load_robot(robot))
    if robot is not None:
        return SimulatedPlant(load_robot(Path(robot)))
    address = robot_address(os.environ)
    return SimulatedPlant(load_robot()) if address is None else robot_client.RobotClient(address)


def robot_address(environment: Mapping[str, str], job_folder: Path = Path(wire.JOB_SOCKET_DIR)) -> str | None:
    """Where the robot's gateway listens; None means that this program doesn't run in an appliance's cell."""
    given = environment.get(wire.ENVIRONMENT_VARIABLE)
    if given:
        return given
    return f"ipc://{job_folder / wire.SOCKET_NAME}" if job_folder.is_dir() else None
