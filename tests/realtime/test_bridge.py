from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from appliance.realtime.bridge import Bridge
from appliance.realtime.pigpiod_protocol import REQUEST, Cmd
from gym_raas.parameters import Robot, load_robot

SOFTWARE = load_robot()
HARDWARE = dataclasses.replace(SOFTWARE, pwm=dataclasses.replace(SOFTWARE.pwm, mode="hardware", frequency_hz=20_000))
FORWARD, BACKWARD = SOFTWARE.pins.forward, SOFTWARE.pins.backward


def said(requests: list[bytes]) -> list[tuple[str, int, int]]:
    found = []
    for message in requests:
        command, pin, value, extension = REQUEST.unpack_from(message)
        value = int.from_bytes(message[16:], "little") if extension else value
        found.append((Cmd(command).name, pin, value))
    return found


def test_from_off_the_pins_are_made_outputs_and_both_get_a_duty() -> None:
    assert said(Bridge(SOFTWARE).change(480.0)) == [
        ("MODES", BACKWARD, 1), ("MODES", FORWARD, 1), ("PWM", BACKWARD, 0), ("PWM", FORWARD, 480),
    ]  # fmt: skip


def test_only_changes_are_said() -> None:
    bridge = Bridge(SOFTWARE)
    bridge.change(480.0)
    assert bridge.change(480.0) == []
    assert said(bridge.change(240.0)) == [("PWM", FORWARD, 240)]


def test_a_reversal_ends_the_old_direction_first() -> None:
    bridge = Bridge(SOFTWARE)
    bridge.change(480.0)
    assert said(bridge.change(-480.0)) == [("PWM", FORWARD, 0), ("PWM", BACKWARD, 480)]


def test_off_is_a_write_to_both() -> None:
    bridge = Bridge(SOFTWARE)
    bridge.change(480.0)
    assert said(bridge.change(None)) == [("WRITE", FORWARD, 0), ("WRITE", BACKWARD, 0)]


def test_hardware_pwm_never_stands_on_both_pins_of_the_shared_channel() -> None:
    bridge = Bridge(HARDWARE)
    assert said(bridge.change(250.0))[2:] == [("WRITE", BACKWARD, 0), ("HP", FORWARD, 250_000)]
    assert said(bridge.change(-500.0)) == [("WRITE", FORWARD, 0), ("HP", BACKWARD, 500_000)]
    assert said(bridge.change(0.0)) == [("WRITE", BACKWARD, 0)]


@given(st.lists(st.none() | st.integers(-500, 500).map(float), max_size=40), st.sampled_from([SOFTWARE, HARDWARE]))
def test_after_every_change_one_pin_at_most_is_driven_and_the_right_one(
    commands: list[float | None], robot: Robot
) -> None:
    bridge = Bridge(robot)
    duty = {FORWARD: 0, BACKWARD: 0}
    for command in commands:
        for name, pin, value in said(bridge.change(command)):
            if name != "MODES":
                duty[pin] = value
            assert min(duty.values()) == 0 or name in ("PWM", "MODES")
        wanted = command or 0.0
        assert (duty[FORWARD] > 0, duty[BACKWARD] > 0) == (wanted > 0, wanted < 0)
