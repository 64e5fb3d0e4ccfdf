"""Random bytes and spoilt valid messages to every endpoint: nothing crashes, and nothing changes that no valid message could change.

The default suite takes a few hundred of each; `make chaos` takes 10,000 random and 10,000 spoilt ones.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.config import RealtimeSection
from appliance.realtime import control, messages, orders
from appliance.realtime.messages import Command, CommandKind, DriverRequest
from appliance.realtime.telemetry import RobotState
from appliance.realtime.wheel import Forward, Wheel
from gym_raas import wire
from gym_raas.parameters import load_robot
from gym_raas.physics import State
from tests.scenarios.simulated_link import SimulatedLink
from tests.scenarios.stepped_loop import SteppedLoop

ROBOT = load_robot()
SESSION = 7
Check = Callable[[bytes], None]

u32 = st.integers(0, (1 << 32) - 1)
reals = st.floats()
KINDS = st.sampled_from(list(CommandKind)) | st.integers(0, 255)
JOB_MESSAGES = st.one_of(
    st.builds(wire.Hello, u32), st.builds(wire.Action, u32, reals), st.builds(wire.Read, u32),
    st.builds(wire.Reset, u32, st.sampled_from(list(wire.ResetMode))), st.builds(wire.Bye),
).map(lambda message: message.pack())  # fmt: skip
COMMANDS = st.builds(Command, u32, KINDS, st.sampled_from([0, SESSION, 8]), reals).map(messages.pack_command)
REQUESTS = st.builds(
    DriverRequest, st.sampled_from([SESSION, 8]), u32, st.integers(0, 255), st.integers(0, 255), u32, reals
).map(messages.pack_request)
CONTROL_LINES = st.one_of(
    st.builds(control.Stop, st.text(), st.text()), st.builds(control.Settle, reals.filter(math.isfinite)),
    st.builds(control.Arm, st.text(), st.text(), reals.filter(math.isfinite), st.integers()),
    st.builds(control.Disarm, st.text()), st.builds(control.Status),
).map(msgspec.json.encode)  # fmt: skip
ORDERS = st.one_of(
    st.builds(orders.Open, u32, u32, st.floats(1.0, 600.0)), st.builds(orders.Close, u32),
    st.builds(orders.Over, u32, st.integers(0, 255), st.text(max_size=100)),
).map(orders.encode)  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn, valid: st.SearchStrategy[bytes]) -> bytes:
    """A valid message with some bytes changed, cut off or added."""
    data = bytearray(draw(valid))
    for _ in range(draw(st.integers(0, 3))):
        if data:
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    cut = draw(st.integers(0, len(data)))
    return bytes(data[:cut] if draw(st.booleans()) else data) + draw(st.binary(max_size=4))


def to_the_gateway(data: bytes) -> None:
    """The driver stays, whatever a stranger says, and only a driver's finite action is passed on."""
    for peer, drives in ((1, True), (2, False)):
        wheel = Wheel(SESSION, 1, 0.0)
        wheel.receive(1, wire.Hello(99).pack(), 0.0)
        outcomes = wheel.receive(peer, data, 0.0)
        forwarded = [outcome.request for outcome in outcomes if isinstance(outcome, Forward)]
        assert all(math.isfinite(request.action) and request.session == SESSION for request in forwarded)
        assert drives or (wheel.driver == 1 and not forwarded)
        try:
            wire.parse_request(data)
        except wire.WireError:
            assert wheel.driver == 1
            assert not forwarded


def driven() -> SteppedLoop:
    loop = SteppedLoop(ROBOT, RealtimeSection(), SimulatedLink(ROBOT, State(math.pi, 0.0)))
    loop.tick()
    loop.arm(60.0, SESSION)
    loop.tick()
    loop.request(wire.Kind.ACTION, 1.0)
    loop.run_for(0.003)
    assert loop.pilot.state is RobotState.RUNNING
    return loop


def to_the_loop_from_the_guard(data: bytes) -> None:
    """What is no command of this session's changes nothing, and the motor runs in a session or not at all."""
    loop = driven()
    loop.guard.incoming.append(data)
    loop.run_for(0.005)
    try:
        command = messages.unpack_command(data)
    except struct.error:
        command = None
    if command is None or command.kind not in CommandKind._value2member_map_ or command.session not in (0, SESSION):
        stops = command is not None and command.kind in (CommandKind.STOP, CommandKind.RETIRE)
        assert stops or loop.pilot.state is RobotState.RUNNING
    if loop.pilot.session is None and loop.pilot.state is not RobotState.SETTLING:
        assert loop.link.command is None


def to_an_idle_loop_from_the_guard(data: bytes) -> None:
    """Any command to an idle robot leaves one that still ticks, within its limits."""
    loop = SteppedLoop(ROBOT, RealtimeSection(), SimulatedLink(ROBOT, State(math.pi, 0.0)))
    loop.tick()
    loop.guard.incoming.append(data)
    loop.run_for(0.005)
    assert abs(loop.link.command or 0.0) <= 500.0


def to_the_loop_from_the_gateway(data: bytes) -> None:
    """A job's wish acts within the limits, or not at all; it never ends or changes the session."""
    loop = driven()
    loop.gateway.incoming.append(data)
    loop.run_for(0.005)
    assert loop.pilot.session is not None
    assert loop.pilot.session.number == SESSION
    assert loop.pilot.state in (RobotState.RUNNING, RobotState.SETTLING)
    assert math.isfinite(loop.link.command or 0.0)
    assert abs(loop.link.command or 0.0) <= 500.0


def to_the_guard(data: bytes) -> None:
    """A line is a request or an error that the server answers; a right is never more than its requests."""
    try:
        request = control.decode_request(data)
    except control.UNREADABLE:
        return
    assert isinstance(request, control.Request)


def to_the_gateway_from_the_guard(data: bytes) -> None:
    """An order is an order, or one of the errors that are documented."""
    try:
        orders.decode_order(data)
    except orders.UNREADABLE:
        return


ENDPOINTS = [
    (to_the_gateway, JOB_MESSAGES), (to_the_loop_from_the_guard, COMMANDS), (to_an_idle_loop_from_the_guard, COMMANDS),
    (to_the_loop_from_the_gateway, REQUESTS), (to_the_guard, CONTROL_LINES), (to_the_gateway_from_the_guard, ORDERS),
]  # fmt: skip
IDS = [check.__name__ for check, _ in ENDPOINTS]


def attack(check: Check, data: st.SearchStrategy[bytes], examples: int) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(data)
    def attacked(sent: bytes) -> None:
        check(sent)

    attacked()


@pytest.mark.parametrize(("check", "valid"), ENDPOINTS, ids=IDS)
def test_no_message_does_what_a_valid_one_could_not(check: Check, valid: st.SearchStrategy[bytes]) -> None:
    attack(check, st.binary(max_size=64), 40)
    attack(check, spoilt(valid), 80)


@pytest.mark.parametrize("kind", CommandKind)
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1e300, -1.0])
def test_a_time_that_is_none_is_refused(kind: CommandKind, value: float) -> None:
    to_an_idle_loop_from_the_guard(messages.pack_command(Command(5, kind, 0, value)))


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("check", "valid"), ENDPOINTS, ids=IDS)
def test_nor_do_ten_thousand_of_each(check: Check, valid: st.SearchStrategy[bytes]) -> None:
    attack(check, st.binary(max_size=64), 10_000)
    attack(check, spoilt(valid), 10_000)
