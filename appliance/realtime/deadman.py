"""What stops the motor when the loop no longer does? A script inside pigpiod that counts down unless it is refreshed.

The budget stands in parameter 0, in units of 5 ms; every refresh sets it anew. When it has run out the script zeroes both
pins and never comes back to the countdown: every 2 ms it zeroes them again, so a client that still sends can make pulses
of about 2 ms at most. Parameter 3 counts those rounds, so whoever looks learns that it has tripped.
"""

from __future__ import annotations

from typing import Final

from gym_raas.parameters import Pins

_ROUND_S: Final = 0.005
#: Index of the parameter that counts rounds after the trip.
TRIPS: Final = 3


def script(pins: Pins) -> bytes:
    """The script's text for these pins."""
    off = f"w {pins.forward} 0 w {pins.backward} 0"
    return f"tag 1 mils 5 dcr p0 jp 1 tag 2 {off} inr p3 mils 2 jmp 2".encode()


def budget(dead_man_s: float) -> int:
    """Value of parameter 0 with which the script trips after about `dead_man_s`: `jp` goes on while it is not negative."""
    return max(1, round(dead_man_s / _ROUND_S) - 1)
