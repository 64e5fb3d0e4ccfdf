"""How is a twin put together? From a robot's definition to a daemon that can be served or asked directly."""

from __future__ import annotations

import math
import random
from typing import Final

from appliance.realtime.twin.arm import Arm
from appliance.realtime.twin.daemon import Daemon
from appliance.realtime.twin.encoder import Quadrature
from appliance.realtime.twin.protocol import DEFAULT_PERMISSIONS
from appliance.realtime.twin.world import PinLog, World
from gym_raas.parameters import Robot
from gym_raas.physics import HANGING, Pendulum, State

#: Where an arm comes to rest by itself: within this share of the angle at which friction still holds it.
_REST_SHARE: Final = 0.8


def build(
    robot: Robot,
    now_us: int,
    *,
    log: PinLog | None = None,
    seed: int = 0,
    start_angle_rad: float | None = None,
    permissions: int = DEFAULT_PERMISSIONS,
    tick_offset_us: int = 0,
    stop_pin: int = -1,
) -> Daemon:
    """A twin of this robot, at rest.

    The arm hangs, off the centre by some angle that friction holds, unless `start_angle_rad` (0 upright, pi hanging) says
    otherwise. That angle and the encoder's phase within a count come from `seed`, and no client can know them.
    """
    chance = random.Random(seed)
    phase, share = chance.random(), chance.uniform(-_REST_SHARE, _REST_SHARE)
    state = HANGING if start_angle_rad is None else State(start_angle_rad, 0.0)
    if start_angle_rad is None:
        state = State(math.pi + share * stuck_angle_rad(robot), 0.0)
    arm = Arm(Pendulum(robot.model), Quadrature(robot.encoder.counts_per_turn, phase), state, now_us)
    return Daemon(World(robot, arm, now_us, log, stop_pin), permissions=permissions, tick_offset_us=tick_offset_us)


def stuck_angle_rad(robot: Robot) -> float:
    """How far from hanging the arm can rest, held by Coulomb friction alone."""
    return math.asin(min(robot.model.coulomb_rad_s2 / robot.model.gravity_rad_s2, 1.0))
