from __future__ import annotations

import math

from appliance.config import RealtimeSection
from appliance.realtime.telemetry import RobotState
from gym_raas.parameters import load_robot
from gym_raas.physics import State
from gym_raas.wire import Kind
from tests.scenarios.simulated_link import SimulatedLink
from tests.scenarios.stepped_loop import SteppedLoop

ROBOT = load_robot()


def stepped() -> SteppedLoop:
    loop = SteppedLoop(ROBOT, RealtimeSection(), SimulatedLink(ROBOT, State(math.pi, 0.0)))
    loop.tick()
    return loop


def test_live_records_tell_what_the_robot_does() -> None:
    loop = stepped()
    loop.arm(10.0)
    loop.request(Kind.ACTION, 2.0)
    loop.run_for(1.2)
    live = loop.live.newest
    assert live is not None
    assert (live.state, live.session, live.k, live.steps) == (RobotState.RUNNING, 1, 1, 1)
    assert (live.action, live.command) == (2.0, 480.0)
    assert live.counts > 10
    assert abs(live.session_t_us + live.time_left_us - 10_000_000) < 2
    assert abs(live.rate_hz - 1000.0) < 2.0


def test_ticks_that_were_skipped_are_counted() -> None:
    loop = stepped()
    loop.run_for(0.1)
    loop.now_us += 7_000
    loop.run_for(0.1)
    assert loop.live.newest is not None
    assert loop.live.newest.missed_ticks == 7


def test_the_trace_begins_with_the_session_s_clock_and_has_every_tick_with_its_lateness() -> None:
    loop = stepped()
    loop.arm()
    loop.run_for(0.05)
    assert loop.records[1].ticks == []
    loop.request(Kind.READ)
    loop.tick(late_us=300)
    loop.run_for(0.009)
    ticks = loop.records[1].ticks
    assert len(ticks) == 10
    assert [tick.late_us for tick in ticks] == [300] + [0] * 9
    assert [tick.t_us for tick in ticks[:3]] == [0, 700, 1700]
