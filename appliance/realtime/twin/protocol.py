"""What do pigpiod's socket messages look like? Command numbers, error codes and layouts, as in pigpio.h (version 78).

A request is 16 bytes (command, p1, p2, p3) and p3 bytes of extension; the reply repeats the first three words, and its
fourth is the result. Notifications are 12-byte reports on a connection of their own.

The loop's `pigpiod_protocol` says some of this again, on purpose: a mistake in one module for both sides would cancel out
in every test against the twin.
"""

from __future__ import annotations

import enum
import struct
from typing import Final

REQUEST: Final = struct.Struct("<IIII")
REPORT: Final = struct.Struct("<HHII")
#: An extension of this size or more closes the connection.
EXTENSION_LIMIT_BYTES: Final = 1 << 16
VERSION: Final = 78
#: Revision of a Raspberry Pi 4 B, the board that the twin plays.
HARDWARE_REVISION: Final = 0xC03111
#: GPIO that the daemon may change by default on that board: 2 to 27.
DEFAULT_PERMISSIONS: Final = 0x0FFFFFFC
#: pigpiod samples all levels this often; every tick of a report is a multiple of it.
SAMPLE_US: Final = 5
MAX_GPIO: Final = 53
MAX_USER_GPIO: Final = 31
U32: Final = 0xFFFFFFFF


class Command(enum.IntEnum):
    """Commands that the twin knows; it answers UNKNOWN_COMMAND to all others."""

    MODES = 0
    MODEG = 1
    PUD = 2
    READ = 3
    WRITE = 4
    PWM = 5
    PRS = 6
    PFS = 7
    SERVO = 8
    WDOG = 9
    BR1 = 10
    BR2 = 11
    BC1 = 12
    BC2 = 13
    BS1 = 14
    BS2 = 15
    TICK = 16
    HWVER = 17
    NO = 18
    NB = 19
    NP = 20
    NC = 21
    PRG = 22
    PFG = 23
    PRRG = 24
    PIGPV = 26
    TRIG = 37
    PROC = 38
    PROCD = 39
    PROCR = 40
    PROCS = 41
    PROCP = 45
    MICS = 46
    MILS = 47
    GDC = 83
    GPW = 84
    HP = 86
    CGI = 95
    CSI = 96
    FG = 97
    FN = 98
    NOIB = 99
    EVM = 115
    EVT = 116
    PROCU = 117


class Refusal(enum.IntEnum):
    """Negative results: why a command was not carried out."""

    BAD_USER_GPIO = -2
    BAD_GPIO = -3
    BAD_MODE = -4
    BAD_LEVEL = -5
    BAD_PUD = -6
    BAD_PULSEWIDTH = -7
    BAD_DUTYCYCLE = -8
    BAD_WDOG_TIMEOUT = -15
    BAD_DUTYRANGE = -21
    NO_HANDLE = -24
    BAD_HANDLE = -25
    NOT_PERMITTED = -41
    SOME_PERMITTED = -42
    BAD_PULSELEN = -46
    BAD_SCRIPT_ID = -48
    DUP_TAG = -53
    TOO_MANY_TAGS = -54
    BAD_SCRIPT_CMD = -55
    NO_SCRIPT_ROOM = -57
    TOO_MANY_PARAM = -61
    SCRIPT_NOT_READY = -62
    BAD_TAG = -63
    BAD_MICS_DELAY = -64
    BAD_MILS_DELAY = -65
    UNKNOWN_COMMAND = -88
    NOT_PWM_GPIO = -92
    NOT_SERVO_GPIO = -93
    NOT_HPWM_GPIO = -95
    BAD_HPWM_FREQ = -96
    BAD_HPWM_DUTY = -97
    BAD_FILTER = -125
    BAD_EVENT_ID = -143


class Mode(enum.IntEnum):
    """What a GPIO is used for (MODES, MODEG); the alternative functions' numbers are the chip's own."""

    INPUT = 0
    OUTPUT = 1
    ALT5 = 2
    ALT4 = 3
    ALT0 = 4
    ALT1 = 5
    ALT2 = 6
    ALT3 = 7


class Flag(enum.IntFlag):
    """Flags of a report that is no plain change of level; WATCHDOG and EVENT carry a number in the low five bits."""

    WATCHDOG = 32
    ALIVE = 64
    EVENT = 128


def signed(value: int) -> int:
    """The value as a C int of 32 bits."""
    return (value + 0x80000000 & U32) - 0x80000000


def on_grid(time_us: float) -> int:
    """The first sample at or after a time, µs."""
    return -int(-time_us // SAMPLE_US) * SAMPLE_US
