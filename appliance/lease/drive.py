"""How does one remote program drive? Its connection to the gateway, as a job has one, and what is told of it to the runner."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime

import zmq

from appliance.lease.line import Begin, Ended, Line, Said
from appliance.lease.ride import Again, Ride
from appliance.lease.visitors import Visitor
from gym_raas import remote_wire, wire
from gym_raas.remote_wire import Request


class Drive:
    """From the runner's word to the end, whoever ends it."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], visitor: Visitor, begin: Begin, line: Line) -> None:
        self.visitor, self.limit_s = visitor, begin.limit_s
        self._line, self._ride = line, Ride()
        self.socket = context.socket(zmq.DEALER)
        for option, value in (
            (zmq.IMMEDIATE, 1), (zmq.RECONNECT_IVL, 20), (zmq.RECONNECT_IVL_MAX, 200),
            (zmq.MAXMSGSIZE, wire.MAX_MESSAGE_BYTES), (zmq.SNDHWM, 16), (zmq.LINGER, 200),
        ):  # fmt: skip
            self.socket.set(option, value)
        self.socket.connect(f"ipc://{begin.socket}")
        self.say(f"{visitor.title or 'A program'} of {visitor.name} drives from {visitor.address}.")

    def say(self, text: str) -> None:
        """A line for the job's output."""
        self._line.say(Said(f"{datetime.now(UTC):%H:%M:%S} {text}"))

    def pass_on(self, request: Request, now_s: float) -> bytes | None:
        """Pass a request on to the gateway; returns the answer's frame if there was one already."""
        try:
            found = self._ride.request(request.inner, request.network_s, now_s)
        except wire.WireError as error:
            refused = wire.Refused(0, wire.Refusal.MALFORMED, str(error))
            return remote_wire.Reply(0.0, refused.pack()).pack()
        if isinstance(found, Again):
            return remote_wire.Reply(found.at_robot_s, found.inner).pack()
        if found is not None:
            with contextlib.suppress(zmq.Again):  # nobody there: the client asks what became of it
                self.socket.send(found.inner, zmq.NOBLOCK)
        return None

    def replies(self, now_s: float) -> Iterator[bytes]:
        """Frames for the client that the gateway has sent."""
        with contextlib.suppress(zmq.Again):
            while True:
                inner = b"".join(self.socket.recv_multipart(zmq.NOBLOCK))
                yield remote_wire.Reply(self._ride.reply(inner, now_s), inner).pack()

    def end(self, why: str) -> None:
        """Leave the robot, and tell the runner; `why` is '' where the program closed its environment itself."""
        self.socket.close()
        network = self._ride.network(self.visitor.address, self.visitor.losses)
        self.say(why or "The program closed its environment.")
        if network.exchanges:
            self.say(
                f"{network.exchanges} steps. Network, there and back: {1e3 * network.network_p50_s:.1f} ms in the middle,"
                f" {1e3 * network.network_p99_s:.1f} ms for 99 %, {1e3 * network.network_max_s:.1f} ms at most."
            )
        self._line.say(Ended(why, network))
