"""How does the guard ask loop and gateway, and know that an answer belongs to its question?"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
from collections.abc import Callable
from typing import Final

from appliance.errors import RobotError
from appliance.realtime import messages, orders
from appliance.realtime.messages import Command, CommandKind, Notice, NoticeKind, Refusal

#: An awake loop answers within a tick or two.
LOOP_TIMEOUT_S: Final = 0.5
GATEWAY_TIMEOUT_S: Final = 1.0
_BUFFER_BYTES: Final = 64 * 1024

_log = logging.getLogger(__name__)

_REFUSALS: Final = {
    Refusal.WRONG_STATE: "The robot can't do that now: wait until it is idle, or resume it after a stop or a fault.",
    Refusal.WRONG_SESSION: "That session isn't the present one.",
    Refusal.NO_SEGMENT: "The motor loop can't open the session's shared memory. Is /dev/shm full?",
    Refusal.SELF_TEST: "The self-test failed.",
    Refusal.INTERRUPTED: "It was interrupted by a stop, a fault or the end of the session.",
}


class Unanswered(RobotError):
    """The other side is silent or gone."""


class Refused(RobotError):
    """The loop said no; `notice.code` is why."""

    def __init__(self, notice: Notice) -> None:
        code = notice.code
        known = code in Refusal._value2member_map_
        super().__init__(_REFUSALS[Refusal(code)] if known else f"The motor loop refused (code {code}).")
        self.notice = notice


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends that keep datagrams apart, never block and hold little."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setblocking(False)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
    return ends


def drain(end: socket.socket) -> None:
    """Throw away what waits to be read: a new process must not obey what the old one was told."""
    while True:
        try:
            if not end.recv(1):
                return
        except BlockingIOError:
            return


class LoopChannel:
    """The guard's end towards the loop. `heard(notice)` gets every notice that answers no question."""

    def __init__(self, end: socket.socket, heard: Callable[[Notice], None]) -> None:
        self._end, self._heard = end, heard
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Notice]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(end, self._receive)

    def tell(self, kind: CommandKind, session: int = 0, value: float = 0.0) -> int:
        """Send a command and return its number. Raises Unanswered where the loop reads nothing any more."""
        number = next(self._numbers) & 0xFFFFFFFF
        try:
            self._end.send(messages.pack_command(Command(number, kind, session, value)))
        except OSError as error:
            raise Unanswered("The motor loop doesn't listen. It is being restarted; try again.") from error
        return number

    async def ask(
        self, kind: CommandKind, session: int = 0, value: float = 0.0, timeout_s: float = LOOP_TIMEOUT_S
    ) -> Notice:
        """Send a command and wait until it is done. Raises Refused, Unanswered."""
        number = self.tell(kind, session, value)
        future = self._waiting[number] = self._loop.create_future()
        try:
            notice: Notice = await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            raise Unanswered(f"The motor loop didn't answer within {timeout_s:g} s.") from None
        finally:
            del self._waiting[number]
        if notice.kind == NoticeKind.REFUSED:
            raise Refused(notice)
        return notice

    def lost(self) -> None:
        """The loop died: nothing that was asked will be answered."""
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Unanswered("The motor loop died. It is being restarted; try again."))

    def _receive(self) -> None:
        try:
            notice = messages.unpack_notice(self._end.recv(messages.MAX_DATAGRAM_BYTES))
        except BlockingIOError:
            return
        future = self._waiting.get(notice.number) if notice.number else None
        if future is None:
            self._heard(notice)
        elif not future.done():
            future.set_result(notice)


class GatewayChannel:
    """The guard's end towards the gateway. `ready()` is called whenever a gateway says that it reads."""

    def __init__(self, end: socket.socket, ready: Callable[[], None]) -> None:
        self._end, self._ready = end, ready
        self._waiting: dict[tuple[type[orders.Answer], int], asyncio.Future[orders.Answer]] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(end, self._receive)

    def tell(self, order: orders.Order) -> None:
        """Send an order; a gateway that reads nothing is noticed by the next question."""
        try:
            self._end.send(orders.encode(order))
        except BlockingIOError:
            pass

    async def ask(self, order: orders.Open | orders.Close) -> None:
        """Send an order and wait until it is carried out. Raises Unanswered, RobotError."""
        wanted = orders.Opened if isinstance(order, orders.Open) else orders.Closed
        key = (wanted, order.session)
        future = self._waiting[key] = self._loop.create_future()
        self.tell(order)
        try:
            answer = await asyncio.wait_for(future, GATEWAY_TIMEOUT_S)
        except TimeoutError:
            raise Unanswered("The gateway doesn't answer. It is being restarted; try again.") from None
        finally:
            if self._waiting.get(key) is future:
                del self._waiting[key]
        if isinstance(answer, orders.Opened) and answer.error:
            raise RobotError(answer.error)

    def _receive(self) -> None:
        try:
            answer = orders.decode_answer(self._end.recv(orders.MAX_ORDER_BYTES))
        except BlockingIOError:
            return
        if isinstance(answer, orders.Ready):
            self._ready()
            return
        future = self._waiting.get((type(answer), answer.session))
        if future is not None and not future.done():
            future.set_result(answer)
        elif isinstance(answer, orders.Opened) and answer.error:
            _log.error("a new gateway can't go on: %s", answer.error)
