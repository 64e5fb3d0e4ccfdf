from __future__ import annotations

import dataclasses
import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ellipk

from gym_raas.parameters import load_robot
from gym_raas.physics import HANGING, SUBSTEP_S, Pendulum, State
from gym_raas.wire import Flag
from tests.gym_raas import reference

MODEL = load_robot().model
SMOOTH = dataclasses.replace(MODEL, viscous_per_s=0.0, coulomb_rad_s2=0.0, back_emf_per_s=0.0, brake_per_s=0.0)
SECONDS_10 = 200
DT_S = 0.05

angles = st.floats(-10.0, 10.0)
velocities = st.floats(-18.0, 18.0)
commands = st.integers(-500, 500).map(float)
durations = st.floats(0.0, 0.3)


def random_commands(seed: int) -> list[float]:
    rng = random.Random(seed)
    return [float(rng.randint(-500, 500)) for _ in range(SECONDS_10)]


def kicking_commands(seed: int) -> list[float]:
    rng = random.Random(seed)
    kicks = [rng.choice((-480.0, 480.0)) for _ in range(SECONDS_10 // 10)]
    return list(itertools.chain.from_iterable([kick] * 10 for kick in kicks))


def worst_error(amplitude: float, driven: list[float], *, powered: bool, substep_s: float) -> float:
    start = State(math.pi - amplitude, 0.0)
    exact = reference.motion(MODEL, start, driven, DT_S, powered=powered)
    pendulum, state, found = Pendulum(MODEL, substep_s=substep_s), start, []
    for command in driven:
        state = pendulum.advance(state, command, DT_S, powered=powered)
        found.append(state.angle_rad)
    return float(np.abs(np.array(found) - exact[:, 0]).max())


@pytest.mark.parametrize("amplitude", [0.2, 1.0, 2.0, 3.0])
@pytest.mark.parametrize(
    ("driven", "powered"),
    [([0.0] * SECONDS_10, False), (random_commands(1), True), (kicking_commands(2), True)],
    ids=["free", "random", "kicked"],
)
@pytest.mark.parametrize(("substep_s", "allowed_rad"), [(SUBSTEP_S, 1e-4), (0.001, 1e-8)])
def test_motion_with_friction_agrees_with_an_event_located_solver(
    amplitude: float, driven: list[float], powered: bool, substep_s: float, allowed_rad: float
) -> None:
    assert worst_error(amplitude, driven, powered=powered, substep_s=substep_s) <= allowed_rad


@pytest.mark.parametrize("amplitude", [0.2, 1.0, 2.0, 3.0])
def test_period_is_that_of_the_elliptic_integral(amplitude: float) -> None:
    exact_s = 4.0 / math.sqrt(SMOOTH.gravity_rad_s2) * ellipk(math.sin(amplitude / 2.0) ** 2)
    pendulum = Pendulum(SMOOTH, substep_s=0.001)
    # After a whole period the arm is back where it started; how far off, over the acceleration there, is a time.
    half = pendulum.advance(State(math.pi - amplitude, 0.0), 0.0, exact_s / 2.0, powered=False)
    quarter = pendulum.advance(State(math.pi - amplitude, 0.0), 0.0, exact_s / 4.0, powered=False)
    assert half.angle_rad == pytest.approx(math.pi + amplitude, abs=1e-8)
    assert abs(quarter.angle_rad - math.pi) / quarter.velocity_rad_s <= 1e-8 * exact_s


@given(angles, velocities, durations)
def test_energy_never_grows_without_drive(angle: float, velocity: float, duration_s: float) -> None:
    pendulum, start = Pendulum(MODEL), State(angle, velocity)
    for powered in (True, False):
        after = pendulum.advance(start, 0.0, duration_s, powered=powered)
        assert pendulum.energy_rad2_s2(after) <= pendulum.energy_rad2_s2(start) + 1e-6


@given(angles, velocities, st.floats(0.0, 2.0))
def test_energy_is_kept_without_friction(angle: float, velocity: float, duration_s: float) -> None:
    pendulum, start = Pendulum(SMOOTH, substep_s=0.001), State(angle, velocity)
    after = pendulum.advance(start, 0.0, duration_s, powered=False)
    assert pendulum.energy_rad2_s2(after) == pytest.approx(pendulum.energy_rad2_s2(start), abs=1e-6)


@given(angles, velocities, commands, durations)
def test_mirrored_motion_is_the_mirror_image(angle: float, velocity: float, command: float, duration_s: float) -> None:
    pendulum = Pendulum(MODEL)
    one = pendulum.advance(State(angle, velocity), command, duration_s)
    other = pendulum.advance(State(-angle, -velocity), -command, duration_s)
    assert tuple(other) == pytest.approx((-one.angle_rad, -one.velocity_rad_s))


@given(angles, velocities, commands, st.floats(0.0, 0.1), st.floats(0.0, 0.1))
def test_two_advances_are_one_long_one(
    angle: float, velocity: float, command: float, first_s: float, second_s: float
) -> None:
    pendulum, start = Pendulum(MODEL, substep_s=0.001), State(angle, velocity)
    at_once = pendulum.advance(start, command, first_s + second_s)
    in_two = pendulum.advance(pendulum.advance(start, command, first_s), command, second_s)
    assert tuple(in_two) == pytest.approx(tuple(at_once), abs=1e-7)


def test_arm_sticks_within_two_and_a_half_degrees_of_hanging() -> None:
    pendulum = Pendulum(MODEL)
    for degrees, sticks in ((2.5, True), (-2.5, True), (2.8, False), (-2.8, False)):
        start = State(math.pi + math.radians(degrees), 0.0)
        assert (pendulum.advance(start, 0.0, 1.0) == start) is sticks


def test_dead_zone_moves_nothing_and_more_than_friction_does() -> None:
    pendulum = Pendulum(MODEL)
    enough = MODEL.dead_zone_command + MODEL.coulomb_rad_s2 / MODEL.gain_rad_s2_per_command
    assert pendulum.advance(HANGING, MODEL.dead_zone_command, 1.0) == HANGING
    assert pendulum.advance(HANGING, enough - 1.0, 1.0) == HANGING
    assert pendulum.advance(HANGING, enough + 1.0, 1.0).angle_rad > HANGING.angle_rad
    assert pendulum.advance(HANGING, -enough - 1.0, 1.0).angle_rad < HANGING.angle_rad


def test_a_swinging_arm_comes_to_rest_and_stays() -> None:
    pendulum = Pendulum(MODEL)
    rest = pendulum.advance(State(math.pi - 2.0, 0.0), 0.0, 30.0)
    assert rest.velocity_rad_s == 0.0
    assert abs(rest.angle_rad - math.pi) < math.asin(MODEL.coulomb_rad_s2 / MODEL.gravity_rad_s2) + 1e-9
    assert pendulum.advance(rest, 0.0, 10.0) == rest


def test_braking_stops_sooner_than_coasting() -> None:
    pendulum, start = Pendulum(MODEL), State(math.pi, 5.0)
    braked, free = (pendulum.advance(start, 0.0, 0.2, powered=powered) for powered in (True, False))
    assert braked.velocity_rad_s < free.velocity_rad_s


def test_over_speed_takes_away_drive_in_the_direction_of_motion_only() -> None:
    pendulum = Pendulum(MODEL, speed_limit_rad_s=10.0)
    fast = State(math.pi, 11.0)
    *_, with_motion = pendulum.step(fast, 480.0, DT_S)
    *_, against_motion = pendulum.step(fast, -480.0, DT_S)
    *_, slow = pendulum.step(State(math.pi, 2.0), 480.0, DT_S)
    assert (with_motion, against_motion, slow) == (Flag.OVER_SPEED, 0, 0)
    assert pendulum.step(fast, 480.0, DT_S)[:2] == pendulum.step(fast, 0.0, DT_S)[:2]


def test_full_drive_for_ever_stays_near_the_speed_limit() -> None:
    robot = load_robot()
    pendulum = Pendulum(dataclasses.replace(MODEL, back_emf_per_s=0.0), speed_limit_rad_s=robot.limits.speed_rad_s)
    state, fastest = (math.pi, 14.0), 0.0
    for _ in range(400):
        angle, velocity, _ = pendulum.step(state, 480.0, DT_S)
        state, fastest = (angle, velocity), max(fastest, abs(velocity))
    # Gravity alone adds a little on the way down; the motor doesn't.
    assert robot.limits.speed_rad_s < fastest < robot.limits.speed_rad_s + 2.0


@pytest.mark.parametrize("substep_s", [0.0, -1.0, math.nan])
def test_a_substep_that_is_no_duration_is_refused(substep_s: float) -> None:
    with pytest.raises(ValueError, match="substep_s is a positive number"):
        Pendulum(MODEL, substep_s=substep_s)
