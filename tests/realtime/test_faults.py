from __future__ import annotations

import math

from appliance.realtime.faults import EncoderLoss, Stall
from appliance.realtime.kinds.pendulum import balance
from gym_raas.parameters import load_robot

MODEL = load_robot().model
HANGING = math.pi


def stalls(command: float | None, angle_rad: float, seconds: float = 3.0) -> bool:
    stall = Stall(balance(MODEL))
    return any(stall.judge(now_us, 7, angle_rad, command) for now_us in range(0, round(seconds * 1e6), 1000))


def test_full_drive_that_moves_nothing_is_a_stall_after_half_a_second() -> None:
    assert stalls(480.0, HANGING)
    assert not stalls(480.0, HANGING, 0.4)


def test_a_drive_in_the_dead_zone_is_no_stall() -> None:
    assert not stalls(99.0, HANGING)


def test_an_arm_that_gravity_and_drive_hold_together_is_no_stall() -> None:
    balance = math.asin(MODEL.gain_rad_s2_per_command * (480.0 - MODEL.dead_zone_command) / MODEL.gravity_rad_s2)
    assert not stalls(480.0, HANGING + balance)
    assert not stalls(-480.0, HANGING - balance)


def test_a_motor_that_is_off_never_stalls() -> None:
    assert not stalls(None, HANGING)
    assert not stalls(0.0, HANGING + 1.0)


def test_a_single_count_of_motion_ends_the_suspicion() -> None:
    stall = Stall(balance(MODEL))
    for now_us in range(0, 3_000_000, 1000):
        assert not stall.judge(now_us, now_us // 400_000, HANGING, 480.0)


def test_five_illegal_transitions_within_a_second_are_a_loss_and_five_in_a_minute_are_not() -> None:
    quick, slow = EncoderLoss(), EncoderLoss()
    assert [quick.judge(n * 100_000, n, False) for n in range(7)] == [False] * 5 + [True] * 2
    assert not any(slow.judge(n * 10_000_000, n, False) for n in range(7))


def test_a_gap_in_the_reports_is_a_loss_at_once() -> None:
    assert EncoderLoss().judge(0, 0, True)
