from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.realtime.safety import OFF, Safety
from gym_raas.parameters import load_robot
from gym_raas.wire import Flag

ROBOT = load_robot()
SAFETY = Safety(ROBOT)
TOP = ROBOT.limits.action * ROBOT.pwm.command_per_action


def test_no_wish_is_off() -> None:
    assert SAFETY.limited(None, 100.0, None) is OFF


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(-200.0, 200.0))
def test_no_finite_action_gets_past_the_limits(action: float, velocity_rad_s: float) -> None:
    drive = SAFETY.limited(action, velocity_rad_s, None)
    assert drive.command is not None
    assert abs(drive.command) <= TOP
    assert abs(drive.action) <= ROBOT.limits.action
    assert bool(drive.flags & Flag.CLAMPED_ACTION) == (abs(action) > ROBOT.limits.action)
    if abs(velocity_rad_s) > ROBOT.limits.speed_rad_s:
        assert drive.command * velocity_rad_s <= 0.0


@pytest.mark.parametrize(
    ("action", "velocity", "removed"), [(2.0, 18.1, True), (-2.0, 18.1, False), (2.0, 17.9, False)]
)
def test_over_speed_takes_only_the_drive_that_makes_it_faster(action: float, velocity: float, removed: bool) -> None:
    drive = SAFETY.limited(action, velocity, None)
    assert (drive.command == 0.0) == removed
    assert bool(drive.flags & Flag.OVER_SPEED) == removed
