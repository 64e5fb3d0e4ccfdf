"""How are the motor's pins let go without pigpiod? Inputs with pull-down, written to the GPIO registers and read back.

An input is disconnected from PWM and DMA, whatever a dead pigpiod has left running there, and the bridge's pull-downs hold
the motor off. /dev/gpiomem shows the registers' page and needs no root. Registers after "BCM2835 ARM Peripherals" and
"BCM2711 ARM Peripherals", chapters GPIO. Tested against a file in the place of the page; not yet on a Raspberry Pi.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from appliance.errors import RobotError

DEVICE: Final = Path("/dev/gpiomem")
PAGE_BYTES: Final = 4096
_WORD_BYTES: Final = 4
_FUNCTION_SELECT: Final = 0x00  # ten pins a word, three bits each; 0 is input
_OLD_PULL: Final = 0x94  # GPPUD: 1 is pull-down
_OLD_PULL_CLOCK: Final = 0x98  # GPPUDCLK0
_NEW_PULL: Final = 0xE4  # GPIO_PUP_PDN_CNTRL_REG0: 16 pins a word, two bits each; 2 is pull-down
#: What the place of the new pull registers reads as on chips that don't have them ("gpio").
_NO_NEW_PULL: Final = 0x6770696F
_SETTLE_S: Final = 1e-3  # 150 cycles are asked for


class _Page:
    """The registers, one aligned 32-bit access each."""

    def __init__(self, memory: mmap.mmap) -> None:
        self._words = memoryview(memory).cast("I")

    def read(self, offset: int) -> int:
        return int(self._words[offset // _WORD_BYTES])

    def write(self, offset: int, value: int) -> None:
        self._words[offset // _WORD_BYTES] = value

    def change(self, offset: int, mask: int, value: int) -> None:
        self.write(offset, (self.read(offset) & ~mask) | value)

    def close(self) -> None:
        self._words.release()


def release(pins: Iterable[int], device: Path = DEVICE) -> None:
    """Make the pins inputs with pull-down, and read that they are. Raises RobotError."""
    try:
        handle = os.open(device, os.O_RDWR | os.O_SYNC | os.O_CLOEXEC)
        try:
            memory = mmap.mmap(handle, PAGE_BYTES)
        finally:
            os.close(handle)
    except OSError as error:
        raise RobotError(
            f"The pins can't be switched off by {device} ({error.strerror}). Run this as root, or cut the 12 V supply."
        ) from error
    page = _Page(memory)
    try:
        stuck = [pin for pin in pins if not _release_one(page, pin)]
    finally:
        page.close()
        memory.close()
    if stuck:
        raise RobotError(f"GPIO {', '.join(map(str, stuck))} didn't become an input. Cut the 12 V supply now.")


def _release_one(page: _Page, pin: int) -> bool:
    function, shift = _FUNCTION_SELECT + pin // 10 * _WORD_BYTES, pin % 10 * 3
    page.change(function, 0b111 << shift, 0)
    is_input = (page.read(function) >> shift) & 0b111 == 0
    if page.read(_NEW_PULL) == _NO_NEW_PULL:
        page.write(_OLD_PULL, 1)
        time.sleep(_SETTLE_S)
        page.write(_OLD_PULL_CLOCK, 1 << pin)
        time.sleep(_SETTLE_S)
        page.write(_OLD_PULL, 0)
        page.write(_OLD_PULL_CLOCK, 0)
        return is_input  # that pull can't be read back
    pull, place = _NEW_PULL + pin // 16 * _WORD_BYTES, pin % 16 * 2
    page.change(pull, 0b11 << place, 0b10 << place)
    return is_input and (page.read(pull) >> place) & 0b11 == 0b10
