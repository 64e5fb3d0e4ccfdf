"""How is a twin put together? From a robot's definition to a daemon that can be served or asked directly."""

from __future__ import annotations

import random

from appliance.realtime.kinds.known import HANDLINGS
from appliance.realtime.twin.arm import Arm
from appliance.realtime.twin.daemon import Daemon
from appliance.realtime.twin.encoder import Quadrature
from appliance.realtime.twin.protocol import DEFAULT_PERMISSIONS
from appliance.realtime.twin.world import PinLog, World
from gym_raas.parameters import Robot
from gym_raas.physics import State


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

    It stands where one of its kind may stand when it is switched on, unless `start_angle_rad` (for a pendulum 0 upright, pi
    hanging) says otherwise. That angle and the encoder's phase within a count come from `seed`, and no client can know them.
    """
    chance = random.Random(seed)
    handling = HANDLINGS[robot.kind]
    phase = chance.random()
    state = handling.rest(robot.model, chance) if start_angle_rad is None else State(start_angle_rad, 0.0)
    arm = Arm(handling.kind.motion(robot.model), Quadrature(robot.encoder.counts_per_turn, phase), state, now_us)
    return Daemon(World(robot, arm, now_us, log, stop_pin), permissions=permissions, tick_offset_us=tick_offset_us)
