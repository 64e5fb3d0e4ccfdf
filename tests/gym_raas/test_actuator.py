from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gym_raas import actuator
from gym_raas.actuator import Actuator
from gym_raas.parameters import Pwm, load_robot

ROBOT = load_robot()


def pwm(frequency_hz: int, mode: str = "software") -> Pwm:
    return dataclasses.replace(ROBOT.pwm, frequency_hz=frequency_hz, mode=mode)


@pytest.mark.parametrize(
    ("asked_hz", "gets_hz", "steps"),
    [(8000, 8000, 25), (10_000, 8000, 25), (1000, 1000, 200), (800, 800, 250), (900, 1000, 200), (1, 10, 20_000)],
)
def test_software_pwm_has_the_frequencies_and_steps_that_pigpio_offers(asked_hz: int, gets_hz: int, steps: int) -> None:
    assert actuator.software_frequency_hz(asked_hz) == gets_hz
    assert actuator.steps(pwm(asked_hz)) == steps


@pytest.mark.parametrize(
    ("wanted", "mode", "frequency_hz", "gets"),
    [
        (500, "software", 8000, 480.0),
        (-500, "software", 8000, -480.0),
        (39, "software", 8000, 0.0),
        (1000, "software", 8000, 1000.0),
        (499, "software", 1000, 495.0),
        (499, "hardware", 8000, 499.0),
    ],
)
def test_commands_are_rounded_down_to_the_steps_of_the_pwm(
    wanted: int, mode: str, frequency_hz: int, gets: float
) -> None:
    assert actuator.quantised(wanted, pwm(frequency_hz, mode)) == gets


def test_actions_become_whole_commands_towards_zero() -> None:
    assert [actuator.command(action, ROBOT.pwm) for action in (2.0, -2.0, 0.0039, -0.0079, 1.2345)] == [
        500,
        -500,
        0,
        -1,
        308,
    ]


@given(st.floats(-1e300, 1e300))
def test_the_table_says_what_the_functions_say(action: float) -> None:
    clipped = actuator.clip(action, ROBOT.limits)
    at_bridge = actuator.quantised(actuator.command(clipped.action, ROBOT.pwm), ROBOT.pwm)
    assert Actuator(ROBOT).bridge_command(action) == (clipped.action, at_bridge, clipped.changed)


@given(st.floats(-480.0, 480.0))
def test_an_action_is_found_for_every_command_in_reach(wanted: float) -> None:
    table = Actuator(ROBOT)
    _, got, clamped = table.bridge_command(table.action_for(wanted))
    assert not clamped
    assert abs(wanted) <= abs(got) <= abs(wanted) + 40.0
    assert got * wanted >= 0.0


def test_speed_limit_lets_brake_but_not_push_on() -> None:
    fast = ROBOT.limits.speed_rad_s + 1.0
    assert actuator.within_speed(300.0, fast, ROBOT.limits) == (0.0, True)
    assert actuator.within_speed(-300.0, fast, ROBOT.limits) == (-300.0, False)
    assert actuator.within_speed(300.0, fast - 2.0, ROBOT.limits) == (300.0, False)
