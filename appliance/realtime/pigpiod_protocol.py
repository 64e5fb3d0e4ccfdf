"""How are pigpiod's socket messages laid out? Bytes and numbers only; no socket here.

A request is four little-endian words (command, p1, p2, length of the extension) and the extension. A reply is the same
four words, the last one replaced by the result (negative: an error); a few replies carry as many bytes more as the
result says. Reports of pin changes are twelve bytes. Source: pigpio's documentation of its socket interface.
"""

from __future__ import annotations

import enum
import struct
from typing import Final


class Cmd(enum.IntEnum):
    """Command numbers, by pigpio's names."""

    MODES = 0
    PUD = 2
    READ = 3
    WRITE = 4
    PWM = 5
    PRS = 6
    PFS = 7
    WDOG = 9
    BR1 = 10
    TICK = 16
    NB = 19
    PROC = 38
    PROCD = 39
    PROCR = 40
    PROCS = 41
    PROCP = 45
    GDC = 83
    HP = 86
    NOIB = 99
    PROCU = 117


PORT: Final = 8888
SCRIPT_SLOTS: Final = 32
MODE_INPUT: Final = 0
MODE_OUTPUT: Final = 1
PULL_UP: Final = 2
NOT_PWM_GPIO: Final = -92
SCRIPT_INITING: Final = 0
SCRIPT_HALTED: Final = 1
SCRIPT_RUNNING: Final = 2
#: Duty of hardware PWM at fully on.
HARDWARE_RANGE: Final = 1_000_000

REQUEST: Final = struct.Struct("<IIII")
REPLY: Final = struct.Struct("<IIIi")
#: Sequence number, flags, tick in microseconds (wraps after 71.6 minutes), levels of GPIO 0-31.
REPORT: Final = struct.Struct("<HHII")
#: Flags of a report that isn't a change of level: watchdog, keep-alive, event.
NO_CHANGE: Final = 32 | 64 | 128
#: Reply of PROCP: the script's state and its ten parameters.
SCRIPT_STATUS: Final = struct.Struct("<I10i")


def request(command: int, p1: int = 0, p2: int = 0, extension: bytes = b"") -> bytes:
    """A request as bytes."""
    return REQUEST.pack(command, p1, p2, len(extension)) + extension


def words(*values: int) -> bytes:
    """Unsigned words of an extension."""
    return struct.pack(f"<{len(values)}I", *values)
