"""Any order of commands, requests and faults, at any time: what must hold whatever happens."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.config import RealtimeSection
from appliance.realtime.messages import CommandKind, NoticeKind
from appliance.realtime.telemetry import RobotState
from gym_raas import wire
from gym_raas.parameters import load_robot
from gym_raas.physics import State
from gym_raas.wire import Kind, ResetMode
from tests.scenarios.simulated_link import SimulatedLink
from tests.scenarios.stepped_loop import SteppedLoop

ROBOT = load_robot()
TIMING = RealtimeSection(job_silence_s=0.2, lease_s=0.4, settle_timeout_s=3.0)

COMMANDS = st.tuples(st.just("command"), st.sampled_from(list(CommandKind)), st.sampled_from([0, 1, 2]))
REQUESTS = st.tuples(
    st.just("request"),
    st.sampled_from([Kind.ACTION, Kind.ACTION, Kind.READ, Kind.RESET]),
    st.tuples(st.floats(-1e6, 1e6), st.sampled_from(list(ResetMode)), st.integers(1, 2), st.sampled_from([0, 1, 1, 2])),
)
TROUBLE = st.tuples(st.sampled_from(["up", "slow", "deaf", "jammed"]), st.booleans(), st.just(0))
PAUSE = st.tuples(st.just("pause"), st.integers(0, 300), st.just(0))
EVENTS = st.lists(COMMANDS | REQUESTS | TROUBLE | PAUSE, max_size=40)


Event = tuple[str, Any, Any]


def happen(loop: SteppedLoop, event: Event) -> None:
    name, what, more = event
    if name == "command":
        value = {CommandKind.ARM: 2.0, CommandKind.SETTLE: 3.0}.get(what, 0.0)
        loop.command(what, value, session=more)
    elif name == "request":
        action, mode, driver, session = more
        loop.request(what, action, mode, driver, session)
    elif name != "pause":
        setattr(loop.link, name, what)


@settings(max_examples=60, deadline=None)
@given(EVENTS)
def test_the_motor_only_ever_runs_in_a_session_or_while_settling_and_within_its_limit(
    events: list[Event],
) -> None:
    loop = SteppedLoop(ROBOT, TIMING, SimulatedLink(ROBOT, State(math.pi, 3.0)))
    asked = 0
    for event in events:
        happen(loop, event)
        asked += event[0] == "command" and event[1] != CommandKind.LEASE
        for _ in range(event[1] if event[0] == "pause" else 1):
            loop.tick()
            state, command = loop.pilot.state, loop.link.command
            assert (loop.pilot.session is None) == (loop.pilot.records is None)
            if state in (RobotState.ARMED, RobotState.RUNNING):
                assert loop.pilot.session is not None
            if state in (RobotState.DISARMED, RobotState.ARMED, RobotState.FAULT, RobotState.STOPPED):
                assert command is None or not loop.link.up
            assert abs(command or 0.0) <= 500.0
    loop.run_for(4.0)  # longer than any time limit
    assert loop.pilot.session is None
    assert loop.link.command is None or not loop.link.up
    # Everybody who asked got one answer.
    answers = [notice for notice in loop.notices if notice.kind in (NoticeKind.DONE, NoticeKind.REFUSED)]
    assert len({notice.number for notice in answers}) == len(answers) == asked


@settings(max_examples=40, deadline=None)
@given(EVENTS)
def test_after_a_stop_nothing_but_a_resume_makes_the_motor_run(events: list[Event]) -> None:
    loop = SteppedLoop(ROBOT, TIMING, SimulatedLink(ROBOT, State(math.pi, 0.0)))
    loop.arm()
    loop.run_for(0.01)
    loop.request(Kind.ACTION, 2.0)
    loop.command(CommandKind.STOP)
    loop.tick()
    for event in events:
        if event[1] is CommandKind.RESUME:
            continue
        happen(loop, event)
        loop.run_for(event[1] * 1e-3 if event[0] == "pause" else 0.002)
        assert loop.pilot.state is RobotState.STOPPED
        assert loop.link.command is None


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([Kind.ACTION, Kind.READ, Kind.RESET]), st.integers(0, 120)), max_size=30))
def test_every_request_of_one_driver_is_answered_exactly_once(wishes: list[tuple[Kind, int]]) -> None:
    loop = SteppedLoop(ROBOT, TIMING, SimulatedLink(ROBOT, State(math.pi, 0.0)))
    loop.tick()
    loop.arm()
    sent = []
    for kind, pause_ms in wishes:
        sent.append(loop.request(kind, 1.0, ResetMode.MOTOR_OFF))
        loop.run_for(pause_ms * 1e-3)
    loop.run_for(0.2 + 0.001 * len(wishes))
    answered = [reply.seq for reply in loop.replies if isinstance(reply, wire.Sample | wire.Refused)]
    assert sorted(answered) == sent
