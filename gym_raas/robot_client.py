"""How does an environment drive the real robot? One ZeroMQ socket to the appliance's gateway, one request at a time.

The gateway may not be there yet, may restart in the middle of a step, may answer late: the client greets again and asks
again until a deadline, drops answers to older questions, and says in plain words why it gave up. It says BYE when the
environment is closed, forgotten or the program ends, so the next environment can drive at once.
"""

from __future__ import annotations

import itertools
import os
import secrets
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import zmq

from gym_raas import errors, wire
from gym_raas.exchange import Exchange, Send, refusal
from gym_raas.kinds.known import KINDS, WORDS
from gym_raas.physics import State
from gym_raas.plant import Reading
from gym_raas.wire import Refusal

_GOODBYE_MS: Final = 500


@dataclass(frozen=True)
class Patience:
    """How long the client waits, in seconds, before it gives up or asks again."""

    hello_s: float = 15.0  # for the first answer: the gateway may still be starting
    busy_s: float = 2.0  # for the environment that was closed just before
    answer_s: float = 12.0  # for a step or a reading: long enough for a gateway to restart on a busy machine
    settle_s: float = 330.0  # for a reset that settles; the robot has its own, shorter limit
    again_s: float = 0.5  # of silence before asking what became of the request
    pause_s: float = 0.1  # before asking again what was refused for the moment


class RobotClient:
    """A `gym_raas.plant.Plant` of metal, behind the gateway at `address` (such as `ipc:///run/raas-job/robot`).

    Raises errors.RobotUnreachable, RobotBusy or another RobotError when it is made; it then drives until `close`.
    """

    can_be_placed = False

    def __init__(self, address: str, patience: Patience | None = None) -> None:
        self.address = address
        self._patience = Patience() if patience is None else patience
        self._hello = wire.Hello(secrets.randbits(64)).pack()
        self._numbers = itertools.count(1)
        self._pid = os.getpid()
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._close = weakref.finalize(self, _say_goodbye, self._context, self._socket, self._farewell(), self._pid)
        try:
            self._connect()
            self.welcome = self._greet()
        except BaseException:
            self.close()
            raise
        known = KINDS.get(self.welcome.robot_kind)
        if known is None:
            self.close()
            raise errors.WrongKind(
                f"this gym_raas knows no robot of kind {self.welcome.robot_kind!r}, only {WORDS}: install a newer one"
            )
        self.kind = known
        self.dt_s = self.welcome.dt_s
        self.action_limit = self.welcome.action_limit

    def step(self, action: float) -> Reading:
        """Send an action and wait for the boundary that ends its step."""
        return self._ask(lambda seq: wire.Action(seq, action), self._patience.answer_s)

    def read(self) -> Reading:
        """The robot's newest sample."""
        return self._ask(wire.Read, self._patience.answer_s)

    def reset(self, mode: wire.ResetMode, start: State | None = None) -> Reading:  # noqa: ARG002 (metal has no start)
        """Motor off, and with SETTLE wait until the robot rests; `start` is for simulations."""
        settles = mode is wire.ResetMode.SETTLE
        limit_s = self._patience.settle_s if settles else self._patience.answer_s
        return self._ask(lambda seq: wire.Reset(seq, mode), limit_s)

    def close(self) -> None:
        """Say BYE and let go; any number of times."""
        self._close()

    def __reduce__(self) -> str:
        raise TypeError("a connection to the real robot can't be copied or pickled; make one where it is used")

    def _connect(self) -> None:
        """Reach the robot. Raises errors.RobotError."""
        self._connect_to(self.address, wire.MAX_MESSAGE_BYTES)

    def _connect_to(self, address: str, max_message_bytes: int) -> None:
        self._socket.set(zmq.IMMEDIATE, 1)  # never queue for a gateway that isn't there: it would get stale actions
        self._socket.set(zmq.RECONNECT_IVL, 20)
        self._socket.set(zmq.RECONNECT_IVL_MAX, 200)
        self._socket.set(zmq.MAXMSGSIZE, max_message_bytes)
        try:
            self._socket.connect(address)
        except zmq.ZMQError as error:
            raise errors.RobotUnreachable(
                f"{self.address!r} is no address of a robot ({error}); "
                f"expected in {wire.ENVIRONMENT_VARIABLE} is something like 'ipc:///run/raas-job/robot'"
            ) from error

    def _greet(self) -> wire.Welcome:
        """Say HELLO until somebody answers."""
        start_s = time.monotonic()
        while True:
            self._send(self._hello)
            reply = self._receive(self._patience.pause_s)
            if isinstance(reply, wire.Welcome):
                return reply
            waited_s = time.monotonic() - start_s
            if isinstance(reply, wire.Refused):
                if reply.code is not Refusal.BUSY or waited_s > self._patience.busy_s:
                    raise refusal(reply)
                time.sleep(self._patience.pause_s)
            elif waited_s > self._patience.hello_s:
                raise errors.RobotUnreachable(
                    f"no robot answers at {self.address} for {waited_s:.0f} s. The appliance opens it only while a "
                    f"job runs; outside of a job, unset {wire.ENVIRONMENT_VARIABLE} to use the simulation"
                )

    def _ask(self, make: Callable[[int], wire.Request], limit_s: float) -> Reading:
        """Send one request and wait for its answer, through restarts of the gateway."""
        self._check_usable()
        seq = next(self._numbers)
        request = make(seq).pack()
        exchange = Exchange(seq, request, self._hello, self._numbers)
        deadline_s = time.monotonic() + limit_s
        self._send(request)
        while exchange.answer is None:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0.0:
                raise errors.RobotSilent(
                    f"the robot has not answered for {limit_s:.0f} s. Its session has probably ended, "
                    "or the appliance is in trouble: its page says which"
                )
            reply = self._receive(min(self._patience.again_s, left_s))
            following = exchange.silence() if reply is None else exchange.hear(reply)
            if following is not None:
                self._follow(following)
        return _reading(exchange.answer)

    def _follow(self, following: Send) -> None:
        if not following.unless_answered or not self._socket.poll(int(1000 * self._patience.pause_s)):
            self._send(following.message)

    def _send(self, message: bytes) -> None:
        """Send if anybody is connected; what is lost is asked again."""
        try:
            self._socket.send(message, zmq.NOBLOCK)
        except zmq.Again:
            pass

    def _receive(self, wait_s: float) -> wire.Reply | None:
        """The next message, or None when none came in time."""
        if not self._socket.poll(max(1, int(1000 * wait_s))):
            return None
        return self._parsed(b"".join(self._socket.recv_multipart()))

    def _parsed(self, message: bytes) -> wire.Reply:
        try:
            return wire.parse_reply(message)
        except wire.WireError as error:
            raise errors.RobotError(f"the appliance speaks otherwise than this gym_raas: {error}") from error

    def _farewell(self) -> bytes:
        """The last message, which frees the robot."""
        return wire.Bye().pack()

    def _check_usable(self) -> None:
        if os.getpid() != self._pid:
            raise errors.ForkedError(
                f"this environment belongs to process {self._pid}, and this is a forked child ({os.getpid()}). "
                "Make the environment in the process that steps it; the robot has one driver"
            )
        if not self._close.alive:
            raise errors.ClosedError("this environment was closed; make a new one to go on")


def _say_goodbye(context: zmq.Context[zmq.Socket[bytes]], socket: zmq.Socket[bytes], farewell: bytes, pid: int) -> None:
    """Tell the gateway and free the socket; in a forked child the parent's connection stays as it is."""
    if os.getpid() != pid:
        return
    try:
        socket.send(farewell, zmq.NOBLOCK)
    except zmq.ZMQError:
        pass  # nobody is there, so nobody waits
    socket.close(linger=_GOODBYE_MS)
    context.term()


def _reading(sample: wire.Sample) -> Reading:
    return Reading(
        sample.angle_rad, sample.velocity_rad_s, sample.k, sample.missed, sample.action_delay_s, sample.held_s,
        sample.duration_s, sample.command, sample.flags,
    )  # fmt: skip
