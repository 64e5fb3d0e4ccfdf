"""What should a person look at when the robot has this fault? One sentence each, for page, command line and log."""

from __future__ import annotations

from typing import Final

from appliance.realtime.telemetry import Fault

FAULT_SENTENCES: Final = {
    Fault.NONE: "",
    Fault.LINK_LOST: "The robot's pins can't be reached: pigpiod (or the twin) doesn't answer. Check that its service runs.",
    Fault.LINK_SLOW: "pigpiod answers too slowly to drive safely. Check what else loads the computer, and its power supply.",
    Fault.ENCODER_LOST: "The encoder's signals are broken. Check its plug, its wires and their distance from the motor's.",
    Fault.STALL: "The motor is driven but the arm doesn't move. Check for something in its way, the 12 V supply, the motor's "
    "and the encoder's plugs.",
    Fault.DIRECTION: "The arm turns against the motor. The two motor wires, or the two encoder channels, are swapped.",
    Fault.NEVER_SETTLES: "The pendulum doesn't come to rest. Check that nobody pushes it and that the stand doesn't rock.",
    Fault.FRICTION: "The arm doesn't swing as it did when its model was fitted. Check for something that rubs, the gear's and "
    "the arm's screws; after a change of hardware, calibrate it again.",
    Fault.OUT_OF_SERVICE: "The robot is out of service: too many self-tests in a row have failed.",
}


def name(fault: Fault) -> str:
    """The fault as people read it."""
    return fault.name.lower().replace("_", " ")
