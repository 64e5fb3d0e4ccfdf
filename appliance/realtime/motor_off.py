"""How is the motor switched off whatever else runs or doesn't? `raas motor-off`, unit stop and boot path, `raas up`.

Through pigpiod (or the twin) where one answers; on a machine with GPIO registers also past it. At least one way must be
verified. `python -m appliance.realtime.motor_off` is light enough for ExecStopPost= and an early boot.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from appliance import config as configuration
from appliance.config import Config
from appliance.errors import ConfigError, RaasError, RobotError
from appliance.realtime import pins_off, pins_released
from appliance.realtime.pigpiod_protocol import PORT
from appliance.realtime.pins_off import Link
from gym_raas.parameters import RobotFileError, load_robot

_TIMEOUT_S: Final = 2.0


def link_of(config: Config) -> Link:
    """Where the configured pigpiod (or twin) listens."""
    return Link(config.robot.host, config.robot.port or PORT)


def pins_of(config: Config) -> tuple[int, int]:
    """The bridge's inputs. Raises ConfigError."""
    try:
        pins = load_robot(Path(config.robot.file) if config.robot.file else None).pins
    except RobotFileError as error:
        raise ConfigError(str(error)) from error
    return pins.forward, pins.backward


def switch_off(link: Link | None, pins: Sequence[int], device: Path = pins_released.DEVICE) -> str:
    """Switch off and return how that was verified, as a sentence. Raises RobotError where no way was.

    With `link` None only the registers are used. Where there are registers, they must agree in any case.
    """
    has_registers = device.exists()
    if link is None and not has_registers:
        return "There are no pins on this machine, so there is nothing to switch off."
    if link is None:
        pins_released.release(pins, device)
        return "The motor is off: both pins are inputs."
    try:
        pins_off.switch_off(link, pins, _TIMEOUT_S)
    except RobotError:
        if not has_registers:
            raise
        pins_released.release(pins, device)  # nobody else holds the pins now, so they may lose their function
        return f"The motor is off: both pins are inputs (nothing answered at {link})."
    return f"The motor is off: {link} says so."


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point: 0 verified off, 1 with a message where it isn't."""
    parser = argparse.ArgumentParser(prog="raas-motor-off", description="Switches the motor's pins off.")
    parser.add_argument("--config", type=Path, help="raas.yaml; default: all defaults")
    parser.add_argument("--registers-only", action="store_true", help="don't ask pigpiod: it doesn't run yet")
    given = parser.parse_args(arguments)
    try:
        pins, link = _wanted(given.config)
        sys.stderr.write(switch_off(None if given.registers_only else link, pins) + "\n")
    except RaasError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _wanted(file: Path | None) -> tuple[tuple[int, int], Link]:
    """Pins and link; a configuration that can't be used must not keep the motor running, so then the defaults."""
    try:
        config = configuration.load(file)
        return pins_of(config), link_of(config)
    except ConfigError as error:
        sys.stderr.write(f"{error}\nThe packaged robot's pins are switched off.\n")
        return pins_of(Config()), link_of(Config())


if __name__ == "__main__":
    sys.exit(main())
