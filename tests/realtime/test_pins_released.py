"""The motor's pins let go by the GPIO registers, on a file in the place of their page."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import RobotError
from appliance.realtime import motor_off, pins_released
from appliance.realtime.pins_off import Link

FORWARD, BACKWARD = 13, 19
FSEL1, PUP0, PUP1 = 0x04, 0xE4, 0xE8
NOWHERE = Link("127.0.0.1", 1)  # nothing listens there


def page(tmp_path: Path, words: dict[int, int]) -> Path:
    memory = bytearray(pins_released.PAGE_BYTES)
    for offset, value in words.items():
        struct.pack_into("<I", memory, offset, value)
    device = tmp_path / "gpiomem"
    device.write_bytes(memory)
    return device


def word(device: Path, offset: int) -> int:
    return int(struct.unpack_from("<I", device.read_bytes(), offset)[0])


def test_a_newer_chips_pins_become_inputs_with_pull_down(tmp_path: Path) -> None:
    hardware_pwm = 0b100 << 9 | 0b010 << 27  # GPIO 13 at ALT0, GPIO 19 at ALT5
    device = page(tmp_path, {FSEL1: hardware_pwm})
    pins_released.release((FORWARD, BACKWARD), device)
    assert word(device, FSEL1) == 0
    assert (word(device, PUP0), word(device, PUP1)) == (0b10 << 26, 0b10 << 6)


def test_an_older_chips_pins_become_inputs(tmp_path: Path) -> None:
    device = page(tmp_path, {FSEL1: 0xFFFFFFFF, PUP0: 0x6770696F})
    pins_released.release((FORWARD,), device)
    assert word(device, FSEL1) == 0xFFFFFFFF & ~(0b111 << 9)
    assert word(device, PUP0) == 0x6770696F


@given(before=st.integers(0, 2**32 - 1), pin=st.integers(0, 27))
def test_no_other_pin_changes(tmp_path_factory: pytest.TempPathFactory, before: int, pin: int) -> None:
    offset = pin // 10 * 4
    device = page(tmp_path_factory.mktemp("gpio"), {offset: before})
    pins_released.release((pin,), device)
    assert word(device, offset) == before & ~(0b111 << pin % 10 * 3)


def test_without_the_right_to_the_registers_the_supply_is_to_be_cut(tmp_path: Path) -> None:
    with pytest.raises(RobotError, match="cut the 12 V supply"):
        pins_released.release((FORWARD,), tmp_path / "absent")


def test_a_dead_pigpiod_leaves_the_registers(tmp_path: Path) -> None:
    device = page(tmp_path, {FSEL1: 0b001 << 9})
    assert "both pins are inputs" in motor_off.switch_off(NOWHERE, (FORWARD, BACKWARD), device)
    assert word(device, FSEL1) == 0


def test_a_machine_without_pins_has_nothing_to_switch_off_at_boot(tmp_path: Path) -> None:
    assert "nothing to switch off" in motor_off.switch_off(None, (FORWARD, BACKWARD), tmp_path / "absent")


def test_neither_pigpiod_nor_registers_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RobotError, match="can't be reached"):
        motor_off.switch_off(NOWHERE, (FORWARD, BACKWARD), tmp_path / "absent")


def test_a_broken_configuration_still_switches_off_the_packaged_robot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "raas.yaml").write_text("robot: {link: none}")
    assert motor_off.main(["--config", str(tmp_path / "raas.yaml"), "--registers-only"]) == 0
    assert "The packaged robot's pins" in capsys.readouterr().err
