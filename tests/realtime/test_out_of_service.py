"""A robot whose encoder is wired the wrong way round, with real processes: three tries, then nobody may use it."""

from __future__ import annotations

import re
from pathlib import Path

from appliance.realtime.control import Settle
from gym_raas.parameters import PACKAGED
from tests.patience import eventually
from tests.realtime.guard_process import CONFIG, Rig, running_guard
from tests.realtime.loop_process import running_twin


def swapped(folder: Path) -> Path:
    """A robot file with the encoder's channels exchanged, for the twin only."""
    text = PACKAGED.read_text()
    a, b = (re.search(rf"encoder_{channel}: *(\d+)", text) for channel in "ab")
    assert a is not None
    assert b is not None
    text = text.replace(a[0], f"encoder_a: {b[1]}").replace(b[0], f"encoder_b: {a[1]}")
    file = folder / "robot.yaml"
    file.write_text(text)
    return file


def fails(rig: Rig) -> None:
    """Settle once; a guard that is still switching the motor off, or has no loop yet, is asked again."""
    said: list[str] = []

    def failed() -> bool:
        said.append(rig.ask("runner", Settle(20.0), 30.0).error)
        return "self-test failed (direction)" in said[-1]

    eventually(failed, what="a failed self-test", then=lambda: f"{said[-5:]}\n{rig.log()[-2000:]}")


def test_after_three_failed_self_tests_the_robot_rests_until_a_person_resumes_it(tmp_path: Path) -> None:
    pins = tmp_path / "pins"
    with running_twin(tmp_path, "--robot", str(swapped(tmp_path)), "--pin-log", str(pins)) as (twin, port):
        with running_guard(tmp_path, port) as (guard, paths):
            rig = Rig(tmp_path, paths, port, twin, guard)
            eventually(lambda: rig.status().state == "disarmed" and rig.status().gateway_alive, what="the robot")
            for _ in range(3):
                fails(rig)
            status = rig.status()
            assert (status.state, status.fault, status.faults["direction"]) == ("fault", "out_of_service", 3)
            assert "swapped" in status.fault_detail
            assert "out of service" in rig.ask("runner", Settle(20.0)).error
            assert "out of service" in rig.arm().error
        with running_guard(tmp_path, port, CONFIG) as (guard, paths):
            rig = Rig(tmp_path, paths, port, twin, guard)
            rig.wait_status("the latch, in a new guard", loop_alive=True, fault="out_of_service")
            assert rig.resume().ok
            rig.wait_status("back in service", state="disarmed", fault_detail="", gateway_alive=True)
            fails(rig)
