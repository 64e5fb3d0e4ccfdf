"""The cart under the real loop's parts, one tick at a time: it finds its mark, tests itself, and never drives into an end."""

from __future__ import annotations

import dataclasses
import math
import random

import pytest

from appliance.config import RealtimeSection
from appliance.realtime.kinds.known import HANDLINGS
from appliance.realtime.messages import CommandKind, Notice, NoticeKind
from appliance.realtime.telemetry import Fault, RobotState
from appliance.realtime.twin.build import build
from gym_raas import wire
from gym_raas.kinds.known import KINDS
from gym_raas.parameters import Robot, load_robot, packaged
from gym_raas.physics import State
from gym_raas.wire import Flag
from tests.scenarios.simulated_link import SimulatedLink
from tests.scenarios.stepped_loop import SteppedLoop

CART = KINDS["cart"]
ROBOT = load_robot(packaged(CART))
END_RAD = ROBOT.model.half_travel_m / 0.02
#: 3 mm and what a count hides.
NEAR_RAD = 0.17


def stepped(start: State, robot: Robot = ROBOT) -> SteppedLoop:
    loop = SteppedLoop(robot, RealtimeSection(), SimulatedLink(ROBOT, start, 0.3))
    loop.tick()
    return loop


def settle(loop: SteppedLoop) -> Notice:
    number = loop.command(CommandKind.SETTLE, 30.0)
    while not (loop.notices and loop.notices[-1].number == number):
        loop.tick()
    return loop.notices[-1]


def fault_of(loop: SteppedLoop) -> Fault:
    notice = settle(loop)
    assert notice.kind == NoticeKind.REFUSED
    assert loop.link.command is None or loop.link.command == 0.0
    return Fault(notice.counts)


@pytest.mark.parametrize("seed", range(6))
def test_from_anywhere_it_comes_to_its_mark_and_knows_where_that_is(seed: int) -> None:
    chance = random.Random(seed)
    start = State(chance.choice([END_RAD, -END_RAD, chance.uniform(-9.0, 9.0)]), chance.choice([0.0, 9.0, -9.0]))
    loop = stepped(start)
    assert settle(loop).kind == NoticeKind.DONE
    truth = loop.link.arm.state
    assert truth.velocity_rad_s == 0.0
    assert truth.angle_rad == pytest.approx(CART.home_rad, abs=NEAR_RAD)
    believed = loop.estimator.motion(loop.encoder.counts, 0.0).angle_rad
    assert believed == pytest.approx(truth.angle_rad, abs=2.0 * ROBOT.encoder.rad_per_count)


def test_a_second_test_reports_how_far_the_middle_was_off() -> None:
    loop = stepped(State(0.0, 0.0))
    settle(loop)
    loop.estimator.zero_counts += 100.0
    assert settle(loop).counts == pytest.approx(-100, abs=2)


def test_swapped_wires_are_found_within_a_few_millimetres() -> None:
    loop = stepped(State(0.0, 0.0))
    loop.link.backwards = True
    assert fault_of(loop) is Fault.DIRECTION
    assert abs(loop.link.arm.state.angle_rad) < 1.0


@pytest.mark.parametrize("broken", ["jammed", "deaf"])
def test_what_does_not_move_or_does_not_count_is_a_stall(broken: str) -> None:
    loop = stepped(State(0.0, 0.0))
    setattr(loop.link, broken, True)
    assert fault_of(loop) is Fault.STALL


def test_a_way_that_is_not_as_long_as_the_file_says_is_refused() -> None:
    longer = dataclasses.replace(ROBOT, model=dataclasses.replace(ROBOT.model, half_travel_m=0.25))
    assert fault_of(stepped(State(0.0, 0.0), longer)) is Fault.FRICTION


def test_a_program_that_pushes_outwards_for_ever_stays_off_the_end_without_a_fault() -> None:
    loop = stepped(State(0.0, 0.0))
    settle(loop)
    loop.arm()
    loop.tick()
    flags = 0
    for side in (1.0, -1.0):
        for _ in range(60):
            loop.request(wire.Kind.ACTION, 2.0 * side)
            loop.run_for(0.05)
            assert abs(loop.link.arm.state.angle_rad) < END_RAD - 0.2
            flags |= loop.records[loop.session].steps[-1].flags if loop.records[loop.session].steps else 0
    assert loop.pilot.state is RobotState.RUNNING
    assert flags & Flag.END_ZONE


def test_a_job_s_reset_drives_back_to_the_mark_without_looking_for_the_ends() -> None:
    loop = stepped(State(0.0, 0.0))
    settle(loop)
    loop.arm()
    loop.tick()
    loop.request(wire.Kind.ACTION, 2.0)
    loop.run_for(0.8)
    highest = loop.link.arm.state.angle_rad
    assert highest > CART.home_rad + 1.0
    loop.request(wire.Kind.RESET, mode=wire.ResetMode.SETTLE)
    began_us = loop.now_us
    while not any(isinstance(reply, wire.Sample) and reply.flags & Flag.SETTLED for reply in loop.replies):
        loop.tick()
        highest = max(highest, loop.link.arm.state.angle_rad)
        assert loop.link.arm.state.angle_rad > CART.home_rad - 1.0
    assert highest < 5.0
    assert loop.now_us - began_us < 4_000_000
    assert loop.link.arm.state.angle_rad == pytest.approx(CART.home_rad, abs=NEAR_RAD)


def test_the_step_s_cost_is_the_cart_s() -> None:
    loop = stepped(State(0.0, 0.0))
    settle(loop)
    loop.arm()
    loop.tick()
    loop.request(wire.Kind.ACTION, 0.0)
    loop.run_for(0.1)
    (step,) = loop.records[loop.session].steps
    assert step.cost == pytest.approx(CART.task.cost(CART.home_rad, 0.0, 0.0), abs=0.02)
    assert math.isclose(step.angle_rad, CART.home_rad, abs_tol=NEAR_RAD)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_handled_and_its_twin_rests_where_it_stands(kind: str) -> None:
    handling = HANDLINGS[kind]
    assert handling.kind is KINDS[kind]
    assert set(handling.fault_sentences) == set(Fault)
    assert "{job}" in handling.settling
    for seed in range(20):
        world = build(load_robot(packaged(handling.kind)), 0, seed=seed).world
        before = world.state
        world.advance(1_000_000)
        assert world.state == before


def test_kinds_and_handlings_have_the_same_names() -> None:
    assert list(HANDLINGS) == list(KINDS)
