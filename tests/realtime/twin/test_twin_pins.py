from __future__ import annotations

import itertools
import struct

import pytest

from appliance.realtime.twin.protocol import Command, Mode, Refusal
from tests.realtime.twin.simulated import SimulatedTwin


def hardware_pwm(twin: SimulatedTwin, gpio: int, frequency_hz: int, duty: int) -> int:
    return twin.ask(Command.HP, gpio, frequency_hz, struct.pack("<I", duty))


def test_hardware_pwm_drives_the_bridge_in_fine_steps() -> None:
    twin = SimulatedTwin()
    twin.ask(Command.WRITE, 19, 0)
    assert hardware_pwm(twin, 13, 8000, 123_456) == 0
    assert twin.daemon.world.command == pytest.approx(123.456, abs=0.03)


def test_hardware_pwm_off_on_19_switches_13_off_because_they_share_a_channel() -> None:
    twin = SimulatedTwin()
    hardware_pwm(twin, 13, 8000, 500_000)
    hardware_pwm(twin, 19, 8000, 0)
    assert twin.daemon.world.command == 0.0
    assert twin.ask(Command.GDC, 13) == 0


def test_hardware_pwm_on_19_drives_13_as_well_so_the_bridge_brakes() -> None:
    twin = SimulatedTwin()
    hardware_pwm(twin, 13, 8000, 0)
    hardware_pwm(twin, 19, 8000, 700_000)
    assert twin.daemon.world.command == 0.0
    twin.ask(Command.WRITE, 13, 0)
    assert twin.daemon.world.command == pytest.approx(-700.0, abs=0.1)


def test_frequency_0_ends_hardware_pwm_only_on_the_gpio_that_makes_it() -> None:
    twin = SimulatedTwin()
    hardware_pwm(twin, 13, 8000, 500_000)
    hardware_pwm(twin, 19, 0, 0)
    assert twin.daemon.world.command == pytest.approx(500.0, abs=0.1)
    hardware_pwm(twin, 13, 0, 0)
    assert twin.daemon.world.command == 0.0


@pytest.mark.parametrize("start", ["software", "hardware"])
@pytest.mark.parametrize(
    "end",
    [(Command.WRITE, 13, 0), (Command.MODES, 13, Mode.INPUT)],
    ids=["write", "input"],
)
def test_write_and_input_end_every_kind_of_pwm(start: str, end: tuple[int, int, int]) -> None:
    twin = SimulatedTwin()
    if start == "hardware":
        hardware_pwm(twin, 13, 8000, 900_000)
    else:
        twin.software_pwm()
        twin.drive(900)
    assert twin.daemon.world.command > 800.0
    twin.ask(*end)
    assert twin.daemon.world.command == 0.0
    assert twin.ask(Command.GDC, 13) == Refusal.NOT_PWM_GPIO


def test_setting_levels_of_a_bank_does_not_end_pwm() -> None:
    twin = SimulatedTwin()
    twin.software_pwm()
    twin.drive(800)
    twin.ask(Command.BC1, 1 << 13 | 1 << 19)
    assert twin.daemon.world.command == pytest.approx(800.0)


def test_a_bridge_input_that_is_a_gpio_input_is_low_even_when_pulled_up() -> None:
    twin = SimulatedTwin()
    twin.ask(Command.PUD, 13, 2)
    assert twin.ask(Command.READ, 13) == 0
    assert twin.daemon.world.command == 0.0


def test_a_new_range_keeps_the_ratio_of_a_running_pwm() -> None:
    twin = SimulatedTwin()
    twin.software_pwm()
    twin.drive(400)
    assert twin.ask(Command.PRS, 13, 500) == 25
    assert twin.ask(Command.GDC, 13) == 200
    assert twin.daemon.world.command == pytest.approx(400.0)


def test_a_duty_that_rounds_to_no_step_leaves_a_high_pin_high() -> None:
    twin = SimulatedTwin()
    twin.software_pwm()
    twin.ask(Command.WRITE, 13, 1)
    twin.ask(Command.PWM, 13, 5)
    assert twin.ask(Command.READ, 13) == 1
    twin.ask(Command.PWM, 13, 500)
    twin.ask(Command.PWM, 13, 5)
    assert twin.daemon.world.command == 0.0


def test_full_duty_is_a_steady_high() -> None:
    twin = SimulatedTwin()
    twin.software_pwm()
    twin.drive(1000)
    levels = set()
    for _ in range(50):
        twin.run(7)
        levels.add(twin.ask(Command.READ, 13))
    assert levels == {1}


def test_a_command_acts_when_it_arrives_between_two_ticks() -> None:
    early, late = SimulatedTwin(), SimulatedTwin()
    for twin, wait_us in ((early, 100), (late, 900)):
        twin.software_pwm()
        twin.run(wait_us)
        twin.drive(1000)
        twin.run(20_000 - wait_us)
    difference = early.daemon.world.state.velocity_rad_s - late.daemon.world.state.velocity_rad_s
    drive_rad_s2 = 0.0359 * 901
    assert difference == pytest.approx(800e-6 * drive_rad_s2, rel=0.2)


def test_the_32_bit_tick_wraps_in_reports_and_answers() -> None:
    twin = SimulatedTwin(tick_offset_us=2**32 - 500_000)
    twin.software_pwm()
    twin.drive(600)
    twin.run(1_000_000)
    ticks = [tick for _, _, tick, _ in twin.reports]
    wraps = [n for n, (a, b) in enumerate(itertools.pairwise(ticks)) if b < a]
    assert len(wraps) == 1
    assert twin.lost == 0
    assert twin.ask(Command.TICK) == 500_000
