"""Who guards the motor loop? `python -m appliance.realtime.guard`: parent of loop and gateway, owner of the stop latch.

Answers the control sockets, arms and ends sessions, and switches the motor off by its own connection to pigpiod whenever
the loop can't. Everything here runs on one event loop; only the latch's disk writes wait elsewhere.
"""

from __future__ import annotations

import asyncio
import dataclasses
import fcntl
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from appliance import config as configuration
from appliance import process
from appliance.config import Config
from appliance.errors import ConfigError, InUse, RaasError
from appliance.notify import Notifier
from appliance.paths import Paths
from appliance.realtime import machine
from appliance.realtime.control import Stop
from appliance.realtime.control_server import ControlServer
from appliance.realtime.cores import keep_off_loop_core
from appliance.realtime.desk import Desk
from appliance.realtime.kinds.known import HANDLINGS
from appliance.realtime.latch import retirement_latch, stop_latch
from appliance.realtime.motor_off import link_of
from appliance.realtime.off_link import OffLink
from appliance.realtime.pins_off import Link
from appliance.realtime.session_files import SessionFiles
from appliance.realtime.stop_button import StopButton
from appliance.realtime.supervision import Commands, Supervision
from gym_raas.parameters import Robot, RobotFileError, load_robot

_LOOK_S = 0.01
_log = logging.getLogger("guard")


@dataclass(frozen=True)
class Settings:
    """What a guard must know."""

    paths: Paths
    config: Config
    robot: Robot
    link: Link
    commands: Commands


async def serve(settings: Settings, notifier: Notifier, stop: asyncio.Event) -> None:
    """Guard until `stop` is set; then switch off and end both children."""
    paths, realtime = settings.paths, settings.config.realtime
    handling = HANDLINGS[settings.robot.kind]
    files = SessionFiles(paths, realtime.rate_hz, handling.kind.task.dt_s)
    files.remove_old_folders()
    pins = settings.robot.pins
    off = OffLink(settings.link, (pins.forward, pins.backward))
    connecting = asyncio.create_task(off.run())
    keep_off_loop_core(realtime.cpu)
    _log.info("%s", machine.take_guard_priority(realtime.priority))
    supervision = Supervision(paths, settings.commands, off, settings.config.dead_man_s)
    desk = Desk(
        supervision, stop_latch(paths.estop_latch), retirement_latch(paths.retirement_latch), files, realtime.lease_s,
        handling.fault_sentences,
    )  # fmt: skip
    server = ControlServer(paths.control, desk.handle, desk.reply)
    button = _button(settings, desk)
    try:
        supervision.start(desk)
        await server.open()
        notifier.ready("guarding")
        while not stop.is_set():
            supervision.look()
            desk.look()
            if supervision.is_loop_alive:
                notifier.alive(asyncio.get_running_loop().time())
            await asyncio.sleep(_LOOK_S)
    finally:
        notifier.stopping()
        server.close()
        await supervision.stop()
        connecting.cancel()
        if button is not None:
            button.cancel()
        desk.close()
        files.remove_old_folders()


def _button(settings: Settings, desk: Desk) -> asyncio.Task[None] | None:
    """The task that watches the stop button, if there is one."""
    pin = settings.config.robot.stop_pin
    if pin < 0:
        return None

    async def pressed() -> None:
        if desk.is_stopped:
            return
        reply = await desk.handle(Stop(who="the stop button", why=f"GPIO {pin} is open"))
        if reply.error:
            _log.error("%s", reply.error)

    return asyncio.create_task(StopButton(settings.link, pin, pressed).run())


async def _serve_until_signal(settings: Settings, notifier: Notifier) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(settings, notifier, stop)


def run(settings: Settings, notifier: Notifier) -> None:
    """Guard until SIGTERM or SIGINT. Raises InUse when another guard guards the same appliance."""
    settings.paths.runtime.mkdir(parents=True, exist_ok=True)
    lock = os.open(settings.paths.runtime / "guard.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        asyncio.run(_serve_until_signal(settings, notifier))
    except BlockingIOError as error:
        raise InUse(f"Another guard already runs for {settings.paths.data}. Stop that one first.") from error
    finally:
        os.close(lock)


def settings_from(arguments: Sequence[str] | None, commands: Callable[[Sequence[str]], Commands]) -> Settings:
    """Parse the command line and the files that it names. Raises RaasError."""
    parser = process.arguments("raas-guard", "Guards the motor loop; owns the stop latch.")
    parser.add_argument("--link", metavar="HOST:PORT", help="pigpiod, or the twin; default: as configured")
    given = parser.parse_args(arguments)
    paths = Paths.of(given.data, given.runtime_root)
    file = given.config or paths.config
    config = configuration.load(file)
    try:
        robot = load_robot(Path(config.robot.file) if config.robot.file else None)
    except RobotFileError as error:
        raise ConfigError(str(error)) from error
    if config.robot.stop_pin in dataclasses.astuple(robot.pins):
        raise ConfigError(
            f"{file}: 'robot.stop_pin' is {config.robot.stop_pin}, which the motor or the encoder uses. Take another."
        )
    link = Link.parse(given.link) if given.link else link_of(config)
    common = [f"--data={given.data}", f"--config={file}", f"--runtime-root={given.runtime_root}"]
    return Settings(paths, config, robot, link, commands([*common, f"--link={link}"]))


def main(arguments: Sequence[str] | None = None, commands: Callable[[Sequence[str]], Commands] = Commands) -> int:
    """Entry point. `commands` says what is run as loop and gateway, given their common arguments."""
    process.log_to_stderr("%(name)s: %(message)s")
    try:
        run(settings_from(arguments, commands), Notifier(os.environ))
    except (RaasError, OSError) as error:
        _log.critical("%s", error)
        return os.EX_CONFIG
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
