"""Where do strangers' connections end? An encrypted ZeroMQ socket; libzmq asks here who may come in, and tells who has gone.

Nothing of a connection is seen before its key is known to be one that the owner let in. Half a handshake ends after a
second, a message of more than `MAX_MESSAGE_BYTES` ends its connection.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import zmq
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from appliance.errors import InUse
from appliance.lease import zap
from appliance.lease.visitors import HEARTBEAT_S, HEARTBEAT_TIMEOUT_S
from gym_raas.remote_wire import MAX_MESSAGE_BYTES

_HANDSHAKE_MS: Final = 1000
_BACKLOG: Final = 64
#: Messages that wait in memory for one connection, in and out; more wait in the sender.
_HIGH_WATER: Final = 64


@dataclass(frozen=True)
class Letter:
    """One message of a known person. fd: its connection's number."""

    name: str
    address: str
    peer: bytes
    fd: int
    content: bytes


class Front:
    """The socket, its doorkeeper and its monitor. `sockets` are to be polled; one thread owns all."""

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], address: str, port: int, secret: bytes) -> None:
        """Listen. Raises InUse."""
        self.names: Mapping[bytes, str] = {}
        self._zap = context.socket(zmq.REP)
        self._zap.bind(zap.ENDPOINT)
        self._router = context.socket(zmq.ROUTER)
        for option, value in (
            (zmq.CURVE_SERVER, 1), (zmq.CURVE_SECRETKEY, z85.encode(secret)), (zmq.ZAP_DOMAIN, zap.DOMAIN.encode()),
            (zmq.HEARTBEAT_IVL, round(1000 * HEARTBEAT_S)), (zmq.HEARTBEAT_TIMEOUT, round(1000 * HEARTBEAT_TIMEOUT_S)),
            (zmq.HANDSHAKE_IVL, _HANDSHAKE_MS), (zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES), (zmq.BACKLOG, _BACKLOG),
            (zmq.RCVHWM, _HIGH_WATER), (zmq.SNDHWM, _HIGH_WATER), (zmq.LINGER, 0), (zmq.IPV6, int(":" in address)),
        ):  # fmt: skip
            self._router.set(option, value)
        self._monitor = self._router.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        where = f"tcp://[{address}]:{port}" if ":" in address else f"tcp://{address}:{port}"
        try:
            self._router.bind(where)
        except zmq.ZMQError as error:
            self.close()
            raise InUse(f"Port {port} on {address} can't be used ({error}). Choose another lease.port.") from error

    @property
    def sockets(self) -> tuple[zmq.Socket[bytes], ...]:
        """What to wait for."""
        return (self._zap, self._monitor, self._router)

    def open_doors(self) -> None:
        """Answer libzmq's questions about keys."""
        with contextlib.suppress(zmq.Again):
            while True:
                question = self._zap.recv_multipart(zmq.NOBLOCK)
                self._zap.send_multipart(zap.answer(question, self.names))

    def gone(self) -> Iterator[int]:
        """Numbers of connections that have ended. Ask before `letters`: numbers are used again."""
        while self._monitor.poll(0):
            yield int(recv_monitor_message(self._monitor)["value"])

    def letters(self, most: int) -> Iterator[Letter]:
        """What has come, at most so many."""
        for _ in range(most):
            try:
                peer, *rest = self._router.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return
            if len(rest) == 1:
                about = {name: str(rest[0].get(name)) for name in ("User-Id", "Peer-Address", "__fd")}
                yield Letter(about["User-Id"], about["Peer-Address"], peer.bytes, int(about["__fd"]), rest[0].bytes)

    def send(self, peer: bytes, content: bytes) -> None:
        """Send; to a connection that is gone, or doesn't read, this does nothing."""
        with contextlib.suppress(zmq.ZMQError):
            self._router.send_multipart([peer, content], zmq.NOBLOCK)

    def close(self) -> None:
        """Let go of everything."""
        self._router.disable_monitor()
        for each in (self._monitor, self._router, self._zap):
            each.close(linger=0)
