"""Who drives, and which of a job's messages reach the motor loop? The gateway's rules, pure: no socket, no clock.

One connection drives. The first HELLO takes the wheel; BYE or the connection's end gives it back, and the motor goes off;
each new driver has a new number, so a late reply to an old one is recognised. A driver has one request in the air at
a time. What is refused is refused with words, up to `COMPLAINTS_HZ`; beyond that there is silence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from appliance.realtime.messages import DriverReply, DriverRequest
from appliance.realtime.pacing import TokenBucket
from gym_raas import wire
from gym_raas.wire import Refusal

COMPLAINTS_HZ: Final = 10.0
_COMPLAINTS_BURST: Final = 20.0
_NUMBERS: Final = 1 << 32
#: Sequence number of the gateway's own request that switches the motor off; its reply has no reader.
_NOBODY: Final = 0


@dataclass(frozen=True, slots=True)
class Forward:
    """Send this to the loop."""

    request: DriverRequest


@dataclass(frozen=True, slots=True)
class Answer:
    """Send this to a connection."""

    peer: int
    message: bytes


@dataclass(frozen=True, slots=True)
class Greet:
    """Send a Welcome to this connection: it drives."""

    peer: int


Outcome = Forward | Answer | Greet


@dataclass(slots=True)
class _Driver:
    peer: int
    number: int
    client: int
    pending: int | None = None


class Wheel:
    """Who drives in one session. Peers are the gateway's numbers of connections; `first_number` is the first driver's."""

    def __init__(self, session: int, first_number: int, now_s: float) -> None:
        self.session: Final = session
        self._number = first_number
        self._driver: _Driver | None = None
        self._complaints = TokenBucket(COMPLAINTS_HZ, _COMPLAINTS_BURST, now_s)
        self._is_silent = False
        self._over: tuple[Refusal, str] | None = None

    @property
    def driver(self) -> int | None:
        """The driving connection."""
        return None if self._driver is None else self._driver.peer

    @property
    def is_pending(self) -> bool:
        """Whether the driver waits for the loop."""
        return self._driver is not None and self._driver.pending is not None

    def receive(self, peer: int, data: bytes, now_s: float) -> list[Outcome]:
        """What to do about a message."""
        try:
            request = wire.parse_request(data)
        except wire.WireError as error:
            return self._complain(peer, 0, Refusal.MALFORMED, str(error), now_s)
        if isinstance(request, wire.Bye):
            return self.gone(peer)
        if isinstance(request, wire.Hello):
            return self._hello(peer, request, now_s)
        if self._over is not None:
            return [_refused(peer, request.seq, *self._over)]
        driver = self._driver
        if driver is None or driver.peer != peer:
            text = "Another environment drives this robot." if driver else "Nobody drives. Say HELLO first."
            return self._complain(peer, request.seq, Refusal.NOT_DRIVER, text, now_s)
        return self._drive(driver, request, now_s)

    def gone(self, peer: int) -> list[Outcome]:
        """A connection has ended or said BYE; if it drove, the motor goes off now instead of at the end of the silence."""
        driver = self._driver
        if driver is None or driver.peer != peer:
            return []
        self._driver = None
        mode = wire.ResetMode.MOTOR_OFF
        return [Forward(DriverRequest(self.session, driver.number, wire.Kind.RESET, mode, _NOBODY, 0.0))]

    def replied(self, reply: DriverReply) -> list[Outcome]:
        """The loop has answered; nothing if it wasn't this driver that asked."""
        driver = self._driver
        if driver is None or driver.pending is None:
            return []
        if (reply.session, reply.driver) != (self.session, driver.number):
            return []
        driver.pending = None
        return [Answer(driver.peer, reply.payload)]

    def not_sent(self) -> list[Outcome]:
        """The loop's socket was full: the driver is told, and may ask again."""
        driver = self._driver
        if driver is None or driver.pending is None:
            return []
        seq, driver.pending = driver.pending, None
        return [_refused(driver.peer, seq, Refusal.PENDING, "The robot doesn't answer at the moment. Ask again.")]

    def end(self, code: Refusal, text: str) -> list[Outcome]:
        """The session is over: what is pending, and everything from now on, gets this refusal. The first end counts."""
        if self._over is not None:
            return []
        self._over = (code, text)
        driver, self._driver = self._driver, None
        if driver is None or driver.pending is None:
            return []
        return [_refused(driver.peer, driver.pending, code, text)]

    def _hello(self, peer: int, hello: wire.Hello, now_s: float) -> list[Outcome]:
        if self._over is not None:
            return [_refused(peer, 0, *self._over)]
        driver = self._driver
        if driver is not None and driver.peer != peer:
            text = "Another environment drives this robot. Close it (env.close()) before you make the next one."
            return self._complain(peer, 0, Refusal.BUSY, text, now_s)
        if driver is None or driver.client != hello.client:
            self._number = (self._number + 1) % _NUMBERS
            self._driver = _Driver(peer, self._number, hello.client)
        return [Greet(peer)]

    def _drive(self, driver: _Driver, request: wire.Action | wire.Read | wire.Reset, now_s: float) -> list[Outcome]:
        kind, action, mode = wire.Kind.READ, 0.0, 0
        if isinstance(request, wire.Action):
            kind, action = wire.Kind.ACTION, request.action
        elif isinstance(request, wire.Reset):
            kind, mode = wire.Kind.RESET, int(request.mode)
        if not math.isfinite(action):
            text = f"An action must be a finite number, this one is {action}."
            return self._complain(driver.peer, request.seq, Refusal.MALFORMED, text, now_s)
        if driver.pending == request.seq:
            return []  # asked again while it is being carried out, such as a reset that waits for rest
        if driver.pending is not None:
            text = "The previous request isn't answered yet: one environment takes one step at a time."
            return self._complain(driver.peer, request.seq, Refusal.PENDING, text, now_s)
        driver.pending = request.seq
        return [Forward(DriverRequest(self.session, driver.number, kind, mode, request.seq, action))]

    def _complain(self, peer: int, seq: int, code: Refusal, text: str, now_s: float) -> list[Outcome]:
        """Refuse with words while there are not too many of them; then once TOO_FAST; then silence."""
        if self._complaints.take(now_s):
            self._is_silent = False
            return [_refused(peer, seq, code, text)]
        if self._is_silent:
            return []
        self._is_silent = True
        text = "Too many messages that can't be carried out; some of the next ones get no answer."
        return [_refused(peer, seq, Refusal.TOO_FAST, text)]


def _refused(peer: int, seq: int, code: Refusal, text: str) -> Answer:
    return Answer(peer, wire.Refused(seq, code, text).pack())
