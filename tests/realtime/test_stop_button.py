"""The stop button at a GPIO input: pressed at the twin, seen by the guard, latched across restarts."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import ConfigError
from appliance.realtime import guard
from appliance.realtime.stop_button import Press
from appliance.realtime.supervision import Commands
from gym_raas.parameters import load_robot
from tests.realtime.guard_process import CONFIG, Rig, running_guard
from tests.realtime.loop_process import running_twin

PIN = 26
WITH_BUTTON = f"{CONFIG}robot: {{stop_pin: {PIN}}}\n"


@given(st.lists(st.booleans()))
def test_a_press_is_two_looks_in_a_row_and_a_spark_is_none(looks: list[bool]) -> None:
    press = Press()
    seen = [press.see(is_high=look) for look in looks]
    assert seen == [now and before for before, now in zip([False, *looks], looks, strict=False)]


def test_a_pressed_button_stops_the_motor_and_stays_latched_until_it_is_let_go_and_resumed(tmp_path: Path) -> None:
    pins = tmp_path / "pins"
    with running_twin(tmp_path, "--pin-log", str(pins), "--stop-pin", str(PIN)) as (twin, port):
        with running_guard(tmp_path, port, WITH_BUTTON) as (process, paths):
            rig = Rig(tmp_path, paths, port, twin, process)
            rig.driving()
            pressed_ns = time.monotonic_ns()
            twin.send_signal(signal.SIGUSR1)
            assert "stop button" in rig.wait_status("the stop", stopped=True).stop_who
            assert rig.off_after_ms(pressed_ns) < 300.0
            rig.resume()
            rig.wait_status("stopped again, for it is still pressed", stopped=True)
            twin.send_signal(signal.SIGUSR1)
        with running_guard(tmp_path, port, WITH_BUTTON) as (process, paths):
            rig = Rig(tmp_path, paths, port, twin, process)
            assert rig.status().stopped, "a restart changes nothing"
            rig.wait_status("the loop", loop_alive=True)
            assert rig.resume().ok
            rig.wait_status("an idle robot", stopped=False, state="disarmed")


def test_a_cut_wire_stops_too(tmp_path: Path) -> None:
    with (
        running_twin(tmp_path) as (twin, port),  # nothing at the pin: the pull-up holds it high
        running_guard(tmp_path, port, WITH_BUTTON) as (process, paths),
    ):
        Rig(tmp_path, paths, port, twin, process).wait_status("the stop", stopped=True)


def test_a_button_at_a_pin_of_the_motor_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "raas.yaml"
    file.write_text(f"robot: {{stop_pin: {load_robot().pins.forward}}}\n")
    with pytest.raises(ConfigError, match="stop_pin"):
        guard.settings_from(["--data", str(tmp_path), "--config", str(file)], Commands)
