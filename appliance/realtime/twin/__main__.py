"""Run the twin: `python -m appliance.realtime.twin --port 0 --port-file PATH --robot robot.yaml`."""

from __future__ import annotations

import argparse
import contextlib
import gc
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from appliance import config as configuration
from appliance.errors import RaasError
from appliance.notify import Notifier
from appliance.realtime.cores import keep_off_loop_core
from appliance.realtime.pigpiod_protocol import PORT
from appliance.realtime.twin.build import build
from appliance.realtime.twin.pinlog import PinLog
from appliance.realtime.twin.protocol import DEFAULT_PERMISSIONS
from appliance.realtime.twin.server import Server, listen
from gym_raas.parameters import RobotFileError, load_robot

#: Far enough for any test, and near enough for an angle's float to resolve a count.
_MAX_START_RAD: Final = 1e4


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; the exit code is 2 for an option that can't be used."""
    options = _options(arguments)
    notifier = Notifier(os.environ)
    with contextlib.ExitStack() as stack:
        try:
            server = _server(options, stack, lambda now_us: notifier.alive(now_us / 1e6))
            _announce(server.port, options.port_file)
        except (RaasError, RobotFileError, OSError) as error:
            sys.stderr.write(f"twin: {error}\n")
            return 2
        keep_off_loop_core(options.loop_cpu)
        _prefer_punctuality(options.fifo_priority)
        with _stopped_by_signals(server):
            notifier.ready(f"simulated robot at port {server.port}")
            server.serve()
            notifier.stopping()
    return 0


def _server(options: argparse.Namespace, stack: contextlib.ExitStack, served: Callable[[int], None]) -> Server:
    if options.config is not None:
        config = configuration.load(options.config)
        section, options.loop_cpu = config.robot, config.realtime.cpu
        options.port, options.robot = section.port or PORT, Path(section.file) if section.file else None
        options.stop_pin = section.stop_pin
    robot = load_robot(options.robot)
    try:
        listener = stack.enter_context(listen(options.port))
    except OSError as error:
        raise OSError(f"port {options.port}: {error.strerror}; choose another --port, 0 takes a free one") from error
    log = stack.enter_context(contextlib.closing(PinLog(options.pin_log))) if options.pin_log else None
    daemon = build(
        robot,
        _clock_us(),
        log=log,
        seed=options.seed,
        start_angle_rad=options.start_angle_rad,
        permissions=options.permissions,
        tick_offset_us=options.tick_offset_us,
        stop_pin=options.stop_pin,
    )
    signal.signal(signal.SIGUSR1, lambda *_: daemon.world.press())
    return stack.enter_context(contextlib.closing(Server(daemon, listener, _clock_us, served=served)))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="twin", description="A simulated robot behind pigpiod's socket protocol, on loopback only."
    )
    add = parser.add_argument
    add("--config", type=Path, help="raas.yaml, whose robot.port and robot.file hold instead of --port and --robot")
    add("--port", type=_whole(0, 65535), default=8888, help="TCP port; 0 takes a free one (default: pigpiod's 8888)")
    add("--port-file", type=Path, help="write the port to this file once clients can connect")
    add("--robot", type=Path, help="robot.yaml (default: the packaged robot)")
    add("--seed", type=int, default=0, help="chooses where the robot rests at the start and the encoder's phase")
    add("--start-angle-rad", type=_angle, help="start here instead; for a pendulum 0 is upright, pi hanging")
    add("--pin-log", type=Path, help="record every change at the bridge's pins in this file")
    permissions = f"bits of the GPIO that clients may change (default: {DEFAULT_PERMISSIONS:#x})"
    add("--permissions", type=_whole(0, 2**54 - 1), default=DEFAULT_PERMISSIONS, help=permissions)
    add("--tick-offset-us", type=_whole(0, 2**32 - 1), default=0, help="added to ticks, to see them wrap at 2**32")
    add("--stop-pin", type=int, default=-1, help="GPIO of a stop button; SIGUSR1 presses it and lets it go again")
    add("--loop-cpu", type=int, default=-1, help="core of the motor loop, to stay off it; -1: the one that it chooses")
    fifo = "run under SCHED_FIFO at this priority where that is allowed (default: 0, not)"
    add("--fifo-priority", type=_whole(0, 98), default=0, help=fifo)
    return parser.parse_args(arguments)


def _whole(low: int, high: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        try:
            value = int(text, 0)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} given; expected is a whole number from {low} to {high:#x}")
        return value

    return whole


def _angle(text: str) -> float:
    try:
        angle_rad = float(text)
    except ValueError:
        angle_rad = math.nan
    if not abs(angle_rad) <= _MAX_START_RAD:
        raise argparse.ArgumentTypeError(f"{text!r} given; expected is an angle within {_MAX_START_RAD:g} rad")
    return angle_rad


def _clock_us() -> int:
    return time.monotonic_ns() // 1000


def _prefer_punctuality(fifo_priority: int) -> None:
    """No pauses by the garbage collector (nothing here makes cycles), and timers that are not rounded up by 50 µs."""
    if fifo_priority:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(fifo_priority))
        except PermissionError:
            sys.stderr.write("twin: SCHED_FIFO is not allowed here, so a busy machine may hold the twin up\n")
    gc.collect()
    gc.freeze()
    gc.disable()
    with contextlib.suppress(OSError):  # a locked-down /proc costs 50 µs, no more
        Path("/proc/self/timerslack_ns").write_text("1")


def _announce(port: int, port_file: Path | None) -> None:
    if port_file is not None:
        draft = port_file.with_name(f"{port_file.name}.{os.getpid()}")
        draft.write_text(f"{port}\n")
        draft.replace(port_file)
    sys.stdout.write(f"twin: pigpiod's protocol on 127.0.0.1:{port}\n")
    sys.stdout.flush()


@contextlib.contextmanager
def _stopped_by_signals(server: Server) -> Iterator[None]:
    before = {number: signal.signal(number, lambda *_: server.stop()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
