"""What do pigpiod (or the twin), the guard and the robot's files say? Reads and asks; changes nothing."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from appliance import config as configuration
from appliance.calibration import in_use
from appliance.care.snapshot import Pin, Robot, Settings
from appliance.config import Config
from appliance.errors import ConfigError, RobotError
from appliance.paths import Paths
from appliance.realtime.control import GuardClient, Status
from appliance.realtime.pigpiod_protocol import PORT, REPLY, Cmd, request
from gym_raas.parameters import Robot as Parameters
from gym_raas.parameters import RobotFileError, load_robot

_TIMEOUT_S: Final = 2.0
# Commands that only this look needs, by pigpio's names.
_MODEG: Final = 1
_PIGPV: Final = 26


def settings(config_file: Path, paths: Paths) -> tuple[Config, Settings]:
    """The configuration, or the defaults where it can't be used, and what is to be said about it."""
    try:
        config = configuration.load(config_file)
    except ConfigError as error:
        return Config(), Settings(problem=str(error))
    file = config.robot.file
    is_real = config.robot.link == "pigpiod"
    try:
        held = in_use.load(in_use.file_of(config), paths)
    except RobotFileError as error:
        return config, Settings(robot_problem=str(error), robot_file=file, is_real=is_real)
    taken = "" if held.taken is None else f"the fit of job {held.taken.job[-6:]}, taken on the page"
    return config, Settings(
        robot_file=file, is_fitted=bool(file or taken), is_real=is_real, robot_taken=taken, robot_left_out=held.problem
    )


def robot(config: Config, paths: Paths) -> Robot:
    """The robot as its daemon and its guard tell it."""
    where = (config.robot.host, _port(config, paths))
    version, motor, encoder = _daemon(where, _parameters(config))
    shown = f"{where[0]}:{where[1]}"
    if not paths.control("stop").exists():
        return Robot(shown, version, motor, encoder)
    try:
        with GuardClient(paths.control("stop")) as guard:
            said = guard.ask(Status())
    except RobotError as error:
        return Robot(shown, version, motor, encoder, guard_problem=str(error))
    return Robot(
        shown, version, motor, encoder, runs=True, state=said.state, fault=said.fault, loop_alive=said.loop_alive,
        gateway_alive=said.gateway_alive, stopped_by=(said.stop_who or "somebody") if said.stopped else "",
        faults=tuple(sorted(said.faults.items())), self_tests=(said.self_tests_passed, said.self_tests_failed),
    )  # fmt: skip


def _parameters(config: Config) -> Parameters | None:
    try:
        return load_robot(Path(config.robot.file) if config.robot.file else None)
    except RobotFileError:
        return None


def _port(config: Config, paths: Paths) -> int:
    """As configured; else the one that `raas up` found for its twin, else pigpiod's."""
    if config.robot.port:
        return config.robot.port
    try:
        return int((paths.runtime / "twin.port").read_text())
    except (OSError, ValueError):
        return PORT


def _daemon(where: tuple[str, int], robot: Parameters | None) -> tuple[int | None, tuple[Pin, ...], tuple[Pin, ...]]:
    """Version, the motor's pins, the encoder's; nothing of it where nobody answers. Reading a pin moves nothing."""
    motor = (robot.pins.forward, robot.pins.backward) if robot else ()
    encoder = (robot.pins.encoder_a, robot.pins.encoder_b) if robot else ()
    try:
        with socket.create_connection(where, _TIMEOUT_S) as link:
            link.settimeout(_TIMEOUT_S)
            version = _ask(link, _PIGPV, 0)
            return version, _pins(link, motor), _pins(link, encoder)
    except OSError:
        return None, (), ()


def _pins(link: socket.socket, numbers: Sequence[int]) -> tuple[Pin, ...]:
    return tuple(Pin(number, _ask(link, _MODEG, number), _ask(link, Cmd.READ, number)) for number in numbers)


def _ask(link: socket.socket, command: int, parameter: int) -> int:
    link.sendall(request(command, parameter))
    reply = b""
    while len(reply) < REPLY.size:
        piece = link.recv(REPLY.size - len(reply))
        if not piece:
            raise ConnectionResetError("pigpiod closed the connection")
        reply += piece
    return int(REPLY.unpack(reply)[3])
