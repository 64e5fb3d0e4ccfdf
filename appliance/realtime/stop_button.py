"""Does somebody press the stop button? A GPIO input that the guard reads by its own connection to pigpiod.

The button is normally closed, from the pin to ground, with the chip's pull-up: pressed, unplugged or cut all read high, and
all stop. It is looked at 50 times a second; two looks in a row must agree, so that a spark doesn't stop the robot.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from appliance.realtime.pigpiod_protocol import MODE_INPUT, PULL_UP, REPLY, Cmd, request
from appliance.realtime.pins_off import Link

LOOK_S: Final = 0.02
_LOOKS: Final = 2
_PATIENCE_S: Final = 1.0
_RETRY_S: Final = 0.1

_log = logging.getLogger(__name__)


class Press:
    """Decides when a level is a press; pure. `see()` is true in the look in which the press begins to count."""

    def __init__(self) -> None:
        self._high = 0

    def see(self, *, is_high: bool) -> bool:
        """Whether this look makes it a press; a button that stays pressed says so again and again."""
        self._high = self._high + 1 if is_high else 0
        return self._high >= _LOOKS


class StopButton:
    """Reads one pin for ever; `pressed()` is awaited while it is pressed."""

    def __init__(self, link: Link, pin: int, pressed: Callable[[], Awaitable[object]]) -> None:
        self._link, self._pin, self._pressed = link, pin, pressed

    async def run(self) -> None:
        """Watch until cancelled. A pigpiod that is away is tried again: without it the motor can't run either."""
        while True:
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    reader, writer = await asyncio.open_connection(self._link.host, self._link.port)
            except (OSError, TimeoutError):
                await asyncio.sleep(_RETRY_S)
                continue
            try:
                await self._watch(reader, writer)
            except (OSError, EOFError, TimeoutError) as error:
                _log.warning("the stop button can't be read (%s); trying again", error or type(error).__name__)
            finally:
                writer.close()
            await asyncio.sleep(_RETRY_S)

    async def _watch(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        press = Press()
        for setting in (request(Cmd.MODES, self._pin, MODE_INPUT), request(Cmd.PUD, self._pin, PULL_UP)):
            if await self._ask(reader, writer, setting) < 0:
                raise OSError(f"pigpiod refuses GPIO {self._pin}")
        while True:
            level = await self._ask(reader, writer, request(Cmd.READ, self._pin))
            if press.see(is_high=level != 0):
                await self._pressed()
            await asyncio.sleep(LOOK_S)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, question: bytes) -> int:
        writer.write(question)
        async with asyncio.timeout(_PATIENCE_S):
            result: int = REPLY.unpack(await reader.readexactly(REPLY.size))[3]
        return result
