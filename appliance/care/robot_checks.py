"""Can the robot move, and stop? Pure checks of settings, pigpiod or twin, pins and guard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from appliance.calibration.drift import drift
from appliance.care.finding import Finding, failed, ok, unknown, warning
from appliance.care.snapshot import Camera, Database, Robot, Settings
from appliance.realtime.fault_sentences import FAULT_SENTENCES
from appliance.realtime.telemetry import Fault

AREA: Final = "robot"
#: With which version of pigpiod the link was tested.
_TESTED_PIGPIOD: Final = 78
_INPUT, _OUTPUT = 0, 1
_OLD_PICTURE_S: Final = 10.0
_START: Final = "Start the appliance: `raas up`, or `systemctl start raas.target`."


def settings(seen: Settings) -> Iterator[Finding]:
    """raas.yaml, what the page has set over it, and robot.yaml."""
    if seen.problem:
        yield failed("settings", "configuration", seen.problem, "Correct the file; `raas config` lists every key.")
        return
    yield ok("settings", "configuration", "raas.yaml can be used")
    if seen.page_problem:
        yield warning("settings", "from the page", seen.page_problem, "Set it anew on the page Settings.")
    if seen.robot_problem:
        yield failed("settings", "robot.yaml", seen.robot_problem, "Correct it, restore a backup, or calibrate anew.")
    elif seen.is_real and not seen.is_fitted:
        yield warning("settings", "robot.yaml", "the packaged parameters, not fitted to this robot",
                      "Calibrate, on the page or by `raas calibrate`.")  # fmt: skip
    else:
        file = seen.robot_file or "the packaged parameters"
        yield ok("settings", "robot.yaml", f"{file}, and over it {seen.robot_taken}" if seen.robot_taken else file)
    if seen.robot_left_out:
        yield warning("settings", "fit from the page", seen.robot_left_out, "Calibrate again on the page Calibration.")


def twin(seen: Database) -> Iterator[Finding]:
    """Whether the robot still moves as its model says, judged by the error of its twin in the newest jobs."""
    found = drift(seen.residuals)
    if found is None:
        return
    now, before = (f"{1e3 * error:.0f} mrad" for error in (found.newest_rad, found.before_rad))
    if found.drifts:
        yield warning(AREA, "twin", f"the robot drifts from its twin: {now} in the newest jobs, {before} before",
                      "Look at bearing, screws and supply; then `raas calibrate`.")  # fmt: skip
    else:
        yield ok(AREA, "twin", f"errs by {now} in the newest jobs, {before} before")


def camera(seen: Camera | None) -> Iterator[Finding]:
    """Whether it sends pictures; nothing where there is none."""
    if seen is None:
        return
    if seen.age_s is not None and seen.age_s < _OLD_PICTURE_S:
        yield ok(AREA, "camera", "sends pictures")
    elif seen.said:
        yield failed(AREA, "camera", "no picture", seen.said)
    else:
        yield unknown(AREA, "camera", "no picture yet", "The runner looks through it while it runs.")


def robot(seen: Robot, *, is_real: bool) -> Iterator[Finding]:
    """The daemon (pigpiod or the twin), its pins, and the guard."""
    name = "pigpiod" if is_real else "twin"
    if seen.version is not None:
        if is_real and seen.version < _TESTED_PIGPIOD:
            yield warning(AREA, name, f"version {seen.version} at {seen.where}", "Install pigpiod 78 or newer.")
        else:
            yield ok(AREA, name, f"answers at {seen.where}, version {seen.version}")
        yield from _pins(seen, is_real=is_real)
    elif is_real:
        yield failed(AREA, name, f"nothing answers at {seen.where}",
                     "`systemctl start pigpiod`. It needs a Raspberry Pi up to 4 with Raspberry Pi's own kernel.")  # fmt: skip
    elif seen.runs:
        yield failed(AREA, name, f"nothing answers at {seen.where}", "`journalctl -u raas-twin`, or logs/twin.log.")
    else:
        yield unknown(AREA, name, "the appliance isn't running", _START)
    yield from _guard(seen)
    yield from _record(seen)


def _pins(seen: Robot, *, is_real: bool) -> Iterator[Finding]:
    """Encoder pins must be inputs; the motor's must be low outside of a session, whichever way they are switched off."""
    taken = [pin for pin in seen.encoder_pins if pin.mode != _INPUT]
    names = ", ".join(f"GPIO {pin.number}" for pin in taken)
    if taken:
        yield failed(AREA, "encoder's pins", f"{names} are used for something else",
                     "A serial console on them? config.txt: enable_uart=0; no console=serial0 or ttyAMA0 in cmdline.txt.")  # fmt: skip
    elif seen.encoder_pins:
        yield ok(AREA, "encoder's pins", "inputs")
    odd = [pin for pin in seen.motor_pins if pin.mode not in (_INPUT, _OUTPUT)]
    high = [pin for pin in seen.motor_pins if pin.level and seen.state in ("disarmed", "fault", "stopped", "")]
    if high:
        yield failed(AREA, "motor's pins", f"GPIO {high[0].number} is high though nothing may move",
                     "Cut the motor's power, then `raas motor-off`.")  # fmt: skip
    elif odd and is_real and not seen.runs:
        yield warning(AREA, "motor's pins", f"GPIO {odd[0].number} has another function", "`raas motor-off`")
    elif seen.motor_pins:
        yield ok(AREA, "motor's pins", "low" if not any(pin.level for pin in seen.motor_pins) else "driven by a job")


def _guard(seen: Robot) -> Iterator[Finding]:
    if not seen.runs:
        said = seen.guard_problem or "not running"
        if seen.guard_problem:
            yield failed(AREA, "guard", said, "`journalctl -u raas-realtime`, or logs/realtime.log.")
        else:
            yield unknown(AREA, "guard", said)
    elif not seen.loop_alive:
        yield failed(AREA, "motor loop", "it doesn't tick", "`journalctl -u raas-realtime`, or logs/realtime.log.")
    elif seen.fault != "none":
        yield failed(AREA, "motor loop", f"latched a fault: {seen.fault.replace('_', ' ')}",
                     "Look at cables, bearing and supply; then `raas resume`.")  # fmt: skip
    elif seen.stopped_by:
        yield warning(AREA, "emergency stop", f"latched by {seen.stopped_by}", "`raas resume` when all is safe.")
    elif not seen.gateway_alive:
        yield failed(AREA, "gateway", "jobs can't reach the robot", "`journalctl -u raas-realtime`")
    else:
        yield ok(AREA, "motor loop", f"ticks; robot {seen.state.replace('_', ' ')}")


def _record(seen: Robot) -> Iterator[Finding]:
    """Every fault that was seen, also where somebody has resumed the robot since, and how its self-tests came out."""
    for name, count in seen.faults:
        fault, times = Fault.__members__.get(name.upper(), Fault.NONE), "once" if count == 1 else f"{count} times"
        yield warning(AREA, name.replace("_", " "), f"seen {times} since the start", FAULT_SENTENCES[fault])
    passed, failures = seen.self_tests
    if failures:
        yield warning(AREA, "self-tests", f"{failures} of {passed + failures} failed", "The robot's faults say why.")
    elif passed:
        yield ok(AREA, "self-tests", f"all {passed} passed")
