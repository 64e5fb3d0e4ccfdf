"""What must be true of pigpiod before the motor may move? Pins off and checked, dead-man running, encoder reported.

`steps()` is a generator: it hands out batches of requests and takes their results, so whoever drives it never waits.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import NamedTuple

from appliance.realtime import deadman
from appliance.realtime.connection import BrokenLink
from appliance.realtime.pigpiod_protocol import (
    MODE_INPUT,
    MODE_OUTPUT,
    NOT_PWM_GPIO,
    PULL_UP,
    SCRIPT_INITING,
    SCRIPT_SLOTS,
    Cmd,
    request,
    words,
)  # fmt: skip
from gym_raas.parameters import Robot

_WORD = 0xFFFFFFFF
#: pigpiod reports at least this often, also when the arm hangs still, so that silence means that reports are lost.
_REPORT_MS = 30


class Ready(NamedTuple):
    """What set-up found: the dead-man's slot, the robot's clock (32 bits) and the levels of GPIO 0-31 at the end."""

    script: int
    tick_us: int
    levels: int


Steps = Generator[list[bytes], list[int], Ready]


def steps(robot: Robot, budget: int, notifications: Callable[[], int]) -> Steps:
    """Batches of requests, motor off first. `notifications()` is the open handle, negative while there is none yet.

    Raises BrokenLink, into whoever sends the results, when the robot refuses something.
    """
    pins, pwm = robot.pins, robot.pwm
    outputs, inputs = (pins.forward, pins.backward), (pins.encoder_a, pins.encoder_b)
    yield [request(Cmd.WRITE, pin, 0) for pin in outputs]
    slots = range(SCRIPT_SLOTS)  # scripts outlive their clients; an empty slot answers an error
    yield [request(command, slot) for slot in slots for command in (Cmd.PROCS, Cmd.PROCD)]
    results = yield [
        *(request(Cmd.MODES, pin, MODE_OUTPUT) for pin in outputs),
        *(request(Cmd.WRITE, pin, 0) for pin in outputs),
        *(request(Cmd.MODES, pin, MODE_INPUT) for pin in inputs),
        *(request(Cmd.PUD, pin, PULL_UP) for pin in inputs),
        *(request(Cmd.PFS, pin, pwm.frequency_hz) for pin in outputs if pwm.mode == "software"),
        *(request(Cmd.PRS, pin, pwm.range) for pin in outputs if pwm.mode == "software"),
    ]
    _demand(results, "set-up of the pins")
    results = yield [*(request(Cmd.GDC, pin) for pin in outputs), *(request(Cmd.READ, pin) for pin in outputs)]
    if results != [NOT_PWM_GPIO] * 2 + [0, 0]:
        raise BrokenLink(f"the pins are not off: {results}")
    script = yield from _dead_man(robot, budget)
    while notifications() < 0:
        yield [request(Cmd.TICK)]
    mask = sum(1 << pin for pin in inputs)
    tick_us, levels, *results = yield [
        request(Cmd.TICK), request(Cmd.BR1), request(Cmd.NB, notifications(), mask),
        request(Cmd.WDOG, pins.encoder_a, _REPORT_MS),
    ]  # fmt: skip
    _demand(results, "notifications")
    return Ready(script, tick_us & _WORD, levels & _WORD)


def start_dead_man(script: int, budget: int) -> bytes:
    """The request that starts the countdown with all parameters as new."""
    return request(Cmd.PROCR, script, extension=words(budget, 0, 0, 0))


def _dead_man(robot: Robot, budget: int) -> Generator[list[bytes], list[int], int]:
    [script] = yield [request(Cmd.PROC, extension=deadman.script(robot.pins))]
    _demand([script], "storing the dead-man script")
    state = SCRIPT_INITING
    while state == SCRIPT_INITING:
        [state] = yield [request(Cmd.PROCP, script)]
    _demand((yield [start_dead_man(script, budget)]), "starting the dead-man script")
    return script


def _demand(results: Sequence[int], what: str) -> None:
    if any(result < 0 for result in results):
        raise BrokenLink(f"{what} was refused: {list(results)}")
