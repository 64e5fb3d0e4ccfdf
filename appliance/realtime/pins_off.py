"""How is the motor switched off past the loop? WRITE 0 to both bridge inputs, said again and again, and read back.

WRITE is pigpiod's one universal OFF: it cancels software and hardware PWM. A command that a dead client left queued on its
own connection may still run after an acknowledged OFF, so OFF is repeated for `REPEAT_S` and only what reads back
afterwards counts: level 0, and no PWM on the pin. Both the guard and `motor_off` use this; the way without pigpiod is
`pins_released`.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from appliance.errors import RobotError
from appliance.realtime.pigpiod_protocol import NOT_PWM_GPIO, REPLY, Cmd, request

#: OFF is repeated at least this long, because commands of a dead client may still be queued in pigpiod.
REPEAT_S: Final = 0.05
INTERVAL_S: Final = 0.005


@dataclass(frozen=True)
class Link:
    """Where pigpiod (or the twin) listens."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Link:
        """Read HOST:PORT. Raises RobotError."""
        host, _, port = text.rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise RobotError(f"{text!r} is not HOST:PORT of pigpiod, such as 127.0.0.1:8888.")
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class OffRound:
    """One round of OFF: the commands for all pins in one send, and what their replies must be."""

    def __init__(self, pins: Iterable[int]) -> None:
        pins = tuple(pins)
        wanted = [(Cmd.WRITE, pin, 0) for pin in pins]
        wanted += [(Cmd.GDC, pin, NOT_PWM_GPIO) for pin in pins]
        wanted += [(Cmd.READ, pin, 0) for pin in pins]
        self.request: Final = b"".join(request(command, pin) for command, pin, _ in wanted)
        self._wanted = wanted

    @property
    def reply_bytes(self) -> int:
        """Length of all replies of one round."""
        return len(self.request)

    def is_off(self, reply: bytes) -> bool:
        """Whether the replies of a whole round say that every pin is low and carries no PWM."""
        answers = [(command, pin, result) for command, pin, _, result in REPLY.iter_unpack(reply)]
        return answers == self._wanted


def switch_off(link: Link, pins: Iterable[int], timeout_s: float = 2.0) -> None:
    """Switch the pins off through pigpiod and verify it; blocks for about `REPEAT_S`.

    Raises RobotError where pigpiod can't be reached or the pins don't read back as off.
    """
    off = OffRound(pins)
    started_s = time.monotonic()
    try:
        with socket.create_connection((link.host, link.port), timeout_s) as connection:
            connection.settimeout(timeout_s)
            while True:
                elapsed_s = time.monotonic() - started_s
                verified = _one_round(connection, off)
                if verified and elapsed_s >= REPEAT_S:
                    return
                if elapsed_s > timeout_s:
                    raise RobotError("The motor's pins don't read back as off. Cut the 12 V supply now.")
                time.sleep(INTERVAL_S)
    except OSError as error:
        raise RobotError(
            f"pigpiod can't be reached at {link} ({error}). On a machine without the robot's hardware there is nothing "
            "to switch off; on the robot, cut the 12 V supply and start pigpiod."
        ) from error


def _one_round(connection: socket.socket, off: OffRound) -> bool:
    connection.sendall(off.request)
    reply = b""
    while len(reply) < off.reply_bytes:
        chunk = connection.recv(off.reply_bytes - len(reply))
        if not chunk:
            raise ConnectionResetError("it closed the connection")
        reply += chunk
    return off.is_off(reply)
