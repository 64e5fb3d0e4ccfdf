from __future__ import annotations

import math
import random

import pytest

from appliance.config import RealtimeSection
from appliance.realtime.messages import CommandKind, Notice, NoticeKind
from gym_raas.parameters import load_robot
from gym_raas.physics import State
from tests.scenarios.simulated_link import SimulatedLink
from tests.scenarios.stepped_loop import SteppedLoop

ROBOT = load_robot()


def settle(loop: SteppedLoop) -> Notice:
    number = loop.command(CommandKind.SETTLE, 30.0)
    while not (loop.notices and loop.notices[-1].number == number):
        loop.tick()
    return loop.notices[-1]


def zero_error_counts(loop: SteppedLoop) -> float:
    """How far the loop's angle is from the truth, whole turns apart."""
    believed = loop.estimator.motion(loop.encoder.counts, 0.0).angle_rad
    off = believed - loop.link.arm.state.angle_rad
    return ((off + math.pi) % (2.0 * math.pi) - math.pi) / ROBOT.encoder.rad_per_count


@pytest.mark.parametrize("seed", range(20))
def test_from_any_start_the_zero_is_within_one_count(seed: int) -> None:
    chance = random.Random(seed)
    start = State(chance.uniform(-10.0, 10.0), chance.choice([0.0, chance.uniform(-18.0, 18.0)]))
    loop = SteppedLoop(ROBOT, RealtimeSection(), SimulatedLink(ROBOT, start, chance.random()))
    loop.tick()
    assert settle(loop).kind == NoticeKind.DONE
    assert loop.link.arm.state.velocity_rad_s == 0.0
    assert abs(zero_error_counts(loop)) <= 1.0


def seconds_until_it_hangs(loop: SteppedLoop) -> float:
    began_us = loop.now_us
    while abs(loop.link.arm.state.velocity_rad_s) > 0.1 or abs(loop.link.angle_deg % 360.0 - 180.0) > 5.0:
        loop.tick()
    return (loop.now_us - began_us) * 1e-6


def test_active_braking_takes_two_thirds_of_the_time_of_the_bridge_s_own_brake() -> None:
    start = State(math.pi, 15.0)
    active, passive = (SteppedLoop(ROBOT, RealtimeSection(), SimulatedLink(ROBOT, start)) for _ in range(2))
    active.tick()
    active.command(CommandKind.SETTLE, 30.0)
    assert seconds_until_it_hangs(active) < 0.67 * seconds_until_it_hangs(passive)


def test_the_correction_is_reported_in_counts_without_whole_turns() -> None:
    loop = SteppedLoop(ROBOT, RealtimeSection(), SimulatedLink(ROBOT, State(math.pi, 16.0), 0.5))
    loop.tick()
    settle(loop)
    before = loop.estimator.zero_counts
    loop.estimator.zero_counts += 100.0 + 480.0
    notice = settle(loop)
    assert notice.counts == pytest.approx(-100, abs=1)
    assert loop.estimator.zero_counts == pytest.approx(before, abs=1.0)
