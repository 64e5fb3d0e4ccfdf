"""How does the motor loop start, keep its time and end? `python -m appliance.realtime.loop`, a child of the guard.

Deadlines are absolute: a late tick doesn't move the next one, and ticks that were missed are counted and skipped. The process
imports no web, database or Docker code, has one thread, and waits for nobody.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from appliance import config as configuration
from appliance import process
from appliance.config import Config
from appliance.errors import RaasError
from appliance.lifeline import die_with_parent
from appliance.paths import Paths
from appliance.realtime import machine
from appliance.realtime.connection import targets
from appliance.realtime.cores import loop_core
from appliance.realtime.encoder import Encoder
from appliance.realtime.estimator import Estimator
from appliance.realtime.faults import EncoderLoss, Stall
from appliance.realtime.kinds.known import HANDLINGS
from appliance.realtime.mailbox import SocketMailbox
from appliance.realtime.pigpiod_link import PigpiodLink
from appliance.realtime.pilot import Pilot
from appliance.realtime.pins_off import Link
from appliance.realtime.publisher import Publisher
from appliance.realtime.safety import Safety
from appliance.realtime.telemetry import LiveRing, Segment
from appliance.realtime.tick import Parts, Tick
from gym_raas.parameters import Robot, RobotFileError, load_robot

_log = logging.getLogger("loop")


def monotonic_us() -> int:
    """The loop's clock."""
    return time.monotonic_ns() // 1000


def keep_time(tick: Tick, period_us: float, goes_on: Callable[[], bool]) -> None:
    """Run ticks at their absolute deadlines until `goes_on()` says no."""
    begin_us = monotonic_us()
    number = 0
    while goes_on():
        # After a stall: the newest deadline that has passed, or the next one; those before it are missed.
        number = max(number + 1, int((monotonic_us() - begin_us) / period_us))
        due_us = begin_us + round(number * period_us)
        # A sleep's duration counts from its call, so nothing may happen between the look at the clock and the call.
        left_ns = due_us * 1000 - time.monotonic_ns()
        if left_ns > 0:
            time.sleep(left_ns * 1e-9)
        tick.run(due_us, time.monotonic_ns() // 1000)


def wire_up(arguments: argparse.Namespace, settings: Config, robot: Robot, paths: Paths) -> Tick:
    """Make all parts of the loop."""
    timing = settings.realtime
    link = Link.parse(arguments.link)
    handling = HANDLINGS[robot.kind]
    estimator = Estimator(robot.encoder.counts_per_turn, handling.kind.home_rad)
    pilot = Pilot(robot, handling, timing, estimator, lambda session: Segment(paths.segment(session), writable=True))
    return Tick(
        Parts(
            link=PigpiodLink(targets(link.host, link.port), robot, settings.dead_man_s),
            guard=SocketMailbox(arguments.guard_fd),
            gateway=SocketMailbox(arguments.gateway_fd),
            encoder=Encoder(robot.pins.encoder_a, robot.pins.encoder_b),
            estimator=estimator,
            safety=Safety(robot),
            stall=Stall(handling.balance(robot.model)),
            encoder_loss=EncoderLoss(),
            pilot=pilot,
            publisher=Publisher(LiveRing(paths.live_ring, create=True), timing.rate_hz),
            clock_us=monotonic_us,
        )
    )


def main(argv: list[str] | None = None) -> int:
    """Run the loop until SIGTERM, or until the guard dies."""
    arguments = _parser().parse_args(argv)
    process.log_to_stderr("%(name)s: %(message)s")
    try:
        paths = Paths.of(arguments.data, arguments.runtime_root)
        settings = configuration.load(arguments.config or paths.config)
        robot = load_robot(Path(settings.robot.file) if settings.robot.file else None)
        tick = wire_up(arguments, settings, robot, paths)
    except (RaasError, RobotFileError, OSError, ValueError) as error:
        _log.error("%s", error)
        return 2
    going = [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the guard decides the order
    if not die_with_parent(arguments.parent):
        return 0
    _log.info("%s", machine.prepare(loop_core(settings.realtime.cpu), settings.realtime.priority))
    upkeep = machine.Upkeep()
    try:
        keep_time(tick, 1e6 / settings.realtime.rate_hz, lambda: bool(going))
    finally:
        tick.stop(monotonic_us())
        _log.info("%s", upkeep.report())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = process.arguments("raas-loop", "The motor loop. The guard starts it.")
    parser.add_argument("--link", required=True, help="HOST:PORT of pigpiod or the twin")
    # By the time that we could ask for it, the parent may have died, and another one have taken its place.
    parser.add_argument("--parent", type=int, default=os.getppid(), help="process id of the guard; default: our parent")
    parser.add_argument("--gateway-fd", type=int, required=True, help="inherited socket towards the gateway")
    parser.add_argument("--guard-fd", type=int, required=True, help="inherited socket towards the guard")
    return parser


if __name__ == "__main__":
    sys.exit(main())
