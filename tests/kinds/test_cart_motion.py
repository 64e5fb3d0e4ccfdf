"""The cart's exact motion against a plain integrator, its ends, and its limits."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gym_raas import motor
from gym_raas.kinds.cart_motion import Cart, CartModel
from gym_raas.kinds.known import KINDS
from gym_raas.parameters import load_robot, packaged
from gym_raas.physics import State
from gym_raas.wire import Flag

CART = KINDS["cart"]
ROBOT = load_robot(packaged(CART))
MODEL: CartModel = ROBOT.model
END_RAD = MODEL.half_travel_m / 0.02

commands = st.floats(-500.0, 500.0)
states = st.builds(State, st.floats(-END_RAD, END_RAD), st.floats(-15.0, 15.0))


def integrated(state: State, command: float, seconds: float, *, powered: bool = True) -> State:
    """Small steps of the equation of motion; an end takes all speed away, and friction holds what it can."""
    angle, velocity = state
    drive = motor.drive_rad_s2(MODEL, command) if powered else 0.0
    damping = motor.damping_per_s(MODEL, command, powered=powered)
    pieces = 4_000
    h = seconds / pieces
    for _ in range(pieces):
        heading = velocity or drive
        if velocity == 0.0 and abs(drive) <= MODEL.coulomb_rad_s2:
            break
        after = velocity + h * (drive - math.copysign(MODEL.coulomb_rad_s2, heading) - damping * velocity)
        after = 0.0 if after * velocity < 0.0 else after
        angle += 0.5 * h * (velocity + after)
        velocity = after
        if abs(angle) >= END_RAD and angle * (velocity or drive) > 0.0:
            angle, velocity = math.copysign(END_RAD, angle), 0.0
            if drive * angle >= 0.0:
                break
    return State(angle, velocity)


@pytest.mark.parametrize("powered", [True, False])
@pytest.mark.parametrize("command", [0.0, 150.0, -300.0, 480.0])
@pytest.mark.parametrize("start", [State(0.0, 0.0), State(-3.0, 8.0), State(9.0, 6.0), State(END_RAD, 0.0)])
def test_it_moves_as_its_equation_says(start: State, command: float, powered: bool) -> None:
    found = Cart(MODEL).advance(start, command, 0.7, powered=powered)
    assert found == pytest.approx(integrated(start, command, 0.7, powered=powered), abs=5e-3)


@given(states, commands, st.floats(0.0, 3.0), st.floats(0.0, 1.0))
def test_any_division_of_time_comes_to_the_same(state: State, command: float, seconds: float, share: float) -> None:
    cart = Cart(MODEL)
    at_once = cart.advance(state, command, seconds)
    in_two = cart.advance(cart.advance(state, command, share * seconds), command, (1.0 - share) * seconds)
    assert in_two == pytest.approx(at_once, abs=1e-6)


@given(states, st.lists(commands, max_size=20))
def test_nothing_drives_it_through_an_end(state: State, sequence: list[float]) -> None:
    cart = Cart(MODEL)
    for command in sequence:
        state = cart.advance(state, command, 0.3)
        assert abs(state.angle_rad) <= END_RAD
        assert math.isfinite(state.velocity_rad_s)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_policy_that_pushes_outwards_for_ever_never_touches_an_end(side: float) -> None:
    limited = CART.limited(MODEL, ROBOT.limits.speed_rad_s)
    state: tuple[float, float] = CART.home
    seen = 0
    for _ in range(200):
        angle, velocity, flags = limited.step(state, 480.0 * side, 0.05)
        state, seen = (angle, velocity), seen | flags
        assert abs(state[0]) < END_RAD - 0.2
    assert seen == Flag.END_ZONE
    angle, _, flags = limited.step(state, -480.0 * side, 0.05)
    assert flags == 0
    assert abs(angle) < END_RAD - 0.2


def test_the_speed_limit_takes_away_only_what_makes_it_faster() -> None:
    limited = CART.limited(MODEL, 5.0)
    assert limited.step((0.0, 6.0), 480.0, 0.05)[2] == Flag.OVER_SPEED
    assert limited.step((0.0, 6.0), -480.0, 0.05)[2] == 0
