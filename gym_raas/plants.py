"""Which robot does an environment drive? The real one where the appliance offers it, else a simulated one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from gym_raas import bucket, remote_client, robot_client, robot_download, wire
from gym_raas.errors import WrongKind
from gym_raas.imperfect import ImperfectPlant
from gym_raas.imperfections import Imperfections
from gym_raas.kinds.kind import Kind
from gym_raas.parameters import Robot, RobotFileError, load_robot, packaged
from gym_raas.plant import Plant
from gym_raas.remote_client import LeaseWish
from gym_raas.simulation import SimulatedPlant

Choice = Robot | Path | str | None
#: How imperfect a simulation is: 'none', 'measured', or as said.
Flaws = Imperfections | str


def choose(kind: Kind, robot: Choice = None, imperfections: Flaws = "none", wish: LeaseWish | None = None) -> Plant:
    """The plant of a kind for a new environment; naming a robot asks for its simulation (see `named_robot`).

    'raas://HOST' is the robot itself, over the network, as long as `wish` says.

    `imperfections` of a simulation: 'none', 'measured', or an Imperfections; a real robot has its own. Raises
    RobotFileError, ValueError, or errors.RobotError where there should be a real robot of this kind and
    isn't.
    """
    if not isinstance(imperfections, Imperfections) and imperfections not in ("none", "measured"):
        raise ValueError(f"imperfections {imperfections!r} given; expected is 'none', 'measured' or an Imperfections")
    if isinstance(robot, str) and robot.startswith(remote_client.SCHEME):
        return checked(remote_client.RemoteClient(robot, wish or LeaseWish()), kind)
    address = robot_address(os.environ) if robot is None else None
    if address is not None:
        return checked(robot_client.RobotClient(address), kind)
    named = named_robot(robot, kind)
    if imperfections == "none":
        return SimulatedPlant(named)
    flaws = imperfections if isinstance(imperfections, Imperfections) else Imperfections.measured(named)
    return ImperfectPlant(named, flaws)


def checked(plant: Plant, kind: Kind) -> Plant:
    """A plant of this kind. Raises errors.WrongKind, having let go of another one."""
    if plant.kind is not kind:
        plant.close()
        raise WrongKind(
            f"this robot is a {plant.kind.noun} and the environment one for a {kind.noun}: "
            f"make 'raas{plant.kind.name}-v1' (or -v0), or submit the job to an appliance with a {kind.noun}"
        )
    return plant


def named_robot(robot: Choice, kind: Kind) -> Robot:
    """The robot that is meant: a Robot, a file, an appliance (http://HOST), one of a fleet (s3://BUCKET/f/FLEET/pi/MEMBER).

    None is the packaged one of its kind. Raises RobotFileError, also for a robot of another kind.
    """
    found = _found(robot, kind)
    if found.kind != kind.name:
        raise RobotFileError(
            f"{found.name!r} is a {found.kind} and the environment one for a {kind.noun}: make 'raas{found.kind}-v1' (or -v0) with it"
        )
    return found


def _found(robot: Choice, kind: Kind) -> Robot:
    if isinstance(robot, Robot):
        return robot
    if isinstance(robot, str) and robot.startswith(bucket.SCHEME):
        return bucket.load_robot(robot)
    if isinstance(robot, str) and robot.startswith(("http://", "https://")):
        return robot_download.fetch(robot)
    return load_robot(packaged(kind) if robot is None else Path(robot))


def robot_address(environment: Mapping[str, str], job_folder: Path = Path(wire.JOB_SOCKET_DIR)) -> str | None:
    """Where the robot's gateway listens; None means that this program doesn't run in an appliance's cell."""
    given = environment.get(wire.ENVIRONMENT_VARIABLE)
    if given is not None:
        return given or None  # set to nothing: a trial in an appliance's cell, without the robot
    return f"ipc://{job_folder / wire.SOCKET_NAME}" if job_folder.is_dir() else None
