"""How does an environment on a laptop drive a robot in the lab? By the appliance's lease service, over encrypted ZeroMQ.

First it waits for its place in the queue, then it speaks the job's own protocol (`gym_raas.wire`) through the service, as
a job does on the appliance. What the network costs is measured with every exchange.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import zmq
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from gym_raas import errors, remote_token, remote_wire, wire
from gym_raas.plant import Reading
from gym_raas.remote_wire import Ask, Denial, Denied, Granted, Place
from gym_raas.robot_client import Patience, RobotClient

SCHEME: Final = "raas://"
_ASK_AGAIN_S: Final = 1.0
_LOOK_S: Final = 0.1
# libzmq answers the service's heartbeats while Python computes; by these it finds a dead connection itself.
_HEARTBEAT_MS: Final = 500
_HEARTBEAT_TIMEOUT_MS: Final = 1500
_HANDSHAKE_MS: Final = 3000
#: A refusal counts when it is repeated for so long: the service learns of new tokens a moment after they are made.
_REFUSED_S: Final = 1.5
_REFUSED_EVENTS: Final = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL

_ERRORS: Final = {
    Denial.BUSY: errors.RobotBusy,
    Denial.OVER: errors.SessionOver,
    Denial.MALFORMED: errors.RobotRefused,
}


def _to_stderr(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - whoever waits wants to know for what


@dataclass(frozen=True)
class LeaseWish:
    """What a program asks for. token: the text, or a file with it. lease_s: how long at most; None: as long as allowed.

    wait_s: how long it waits in the queue. say: hears of its place in it.
    """

    token: str | Path | None = None
    lease_s: float | None = None
    wait_s: float = 3600.0
    say: Callable[[str], None] = _to_stderr

    def __post_init__(self) -> None:
        if self.lease_s is not None and not self.lease_s >= 1.0:
            raise ValueError(f"lease_s {self.lease_s!r} given; expected is a number of seconds from 1 up, or None")


class RemoteClient(RobotClient):
    """A `gym_raas.plant.Plant` of metal elsewhere, at `raas://HOST[:PORT]`; it is ours until `close`, or the lease's end.

    Raises errors.BadToken, RobotUnreachable, RobotBusy, LeaseDenied or another RobotError when it is made.
    """

    def __init__(self, address: str, wish: LeaseWish, patience: Patience | None = None) -> None:
        self.host, self.port = parsed(address)
        self._wish, self._token = wish, remote_token.read(wish.token)
        self._client = int.from_bytes(os.urandom(8), "little")
        self.network_s = self.at_robot_s = 0.0
        self.job_id, self.limit_s = "", 0.0
        super().__init__(address, patience)

    def _connect(self) -> None:
        self._resolved = address = _resolved(self.host, self.port)
        secret = z85.encode(self._token.client_secret)
        self._socket.set(zmq.CURVE_SERVERKEY, z85.encode(self._token.server_public))
        self._socket.set(zmq.CURVE_SECRETKEY, secret)
        self._socket.set(zmq.CURVE_PUBLICKEY, zmq.curve_public(secret))
        self._socket.set(zmq.HEARTBEAT_IVL, _HEARTBEAT_MS)
        self._socket.set(zmq.HEARTBEAT_TIMEOUT, _HEARTBEAT_TIMEOUT_MS)
        self._socket.set(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
        self._socket.set(zmq.IPV6, int(":" in address))
        self._connect_to(address, remote_wire.MAX_MESSAGE_BYTES)
        self._wait_for_turn()

    def _wait_for_turn(self) -> None:
        """Ask until the robot is ours."""
        monitor = self._socket.get_monitor_socket(
            zmq.EVENT_CONNECTED | zmq.EVENT_HANDSHAKE_FAILED_AUTH | _REFUSED_EVENTS
        )
        try:
            self._queue_up(_Contact(self.host, self.port, monitor, self._reconnect))
        finally:
            self._socket.disable_monitor()
            monitor.close(linger=0)

    def _reconnect(self) -> None:
        self._socket.connect(self._resolved)

    def _queue_up(self, contact: _Contact) -> None:
        ask = Ask(self._client, self._wish.lease_s or 0.0, Path(sys.argv[0]).name).pack()
        start_s = time.monotonic()
        ask_at_s, told, heard = start_s, "", False
        while True:
            now_s = time.monotonic()
            if now_s >= ask_at_s:
                self._send_frame(ask)
                ask_at_s = now_s + (_ASK_AGAIN_S if heard else _LOOK_S)
            message = self._frame(_LOOK_S)
            if isinstance(message, Granted):
                self.job_id, self.limit_s = message.job_id, message.limit_s
                return
            if isinstance(message, Place):
                heard = True
                if message.text != told:
                    told = message.text
                    self._wish.say(f"{self.address}: {told}")
            if not heard:
                contact.check(now_s - start_s, self._patience.hello_s)
            if now_s - start_s > self._wish.wait_s:
                raise errors.RobotBusy(
                    f"The robot wasn't free within {self._wish.wait_s:g} s ({told or 'no word of it'}). "
                    "Try again later, or wait longer: wait_s=..."
                )

    def _ask(self, make: Callable[[int], wire.Request], limit_s: float) -> Reading:
        start_s = time.monotonic()
        reading = super()._ask(make, limit_s)
        self.network_s = max(0.0, time.monotonic() - start_s - self.at_robot_s)
        return reading._replace(network_s=self.network_s, at_robot_s=self.at_robot_s)

    def _send(self, message: bytes) -> None:
        self._send_frame(remote_wire.Request(self._client, self.network_s, message).pack())

    def _send_frame(self, frame: bytes) -> None:
        super()._send(frame)

    def _receive(self, wait_s: float) -> wire.Reply | None:
        deadline_s = time.monotonic() + wait_s
        while True:
            message = self._frame(max(0.0, deadline_s - time.monotonic()))
            if isinstance(message, remote_wire.Reply):
                self.at_robot_s = message.at_robot_s
                return self._parsed(message.inner)
            if message is None and time.monotonic() >= deadline_s:
                return None

    def _frame(self, wait_s: float) -> remote_wire.FromService | None:
        """The service's next message. Raises RobotError where that is a denial, or no message of ours."""
        if not self._socket.poll(max(1, int(1000 * wait_s))):
            return None
        data = b"".join(self._socket.recv_multipart())
        version = remote_wire.other_version(data)
        if version is not None:
            older = "the appliance" if version < remote_wire.VERSION else "gym_raas"
            raise errors.RobotError(
                f"The appliance speaks lease protocol {version}, this gym_raas {remote_wire.VERSION}. Update {older}."
            )
        try:
            message = remote_wire.parse_from_service(data)
        except wire.WireError as error:
            raise errors.RobotError(f"the appliance speaks otherwise than this gym_raas: {error}") from error
        if isinstance(message, Denied):
            raise _ERRORS.get(message.code, errors.LeaseDenied)(message.text)
        return message

    def _farewell(self) -> bytes:
        return remote_wire.Request(self._client, 0.0, wire.Bye().pack()).pack()


class _Contact:
    """What libzmq says of a connection over which nothing has come yet. reconnect: try again after a refusal."""

    def __init__(self, host: str, port: int, monitor: zmq.Socket[bytes], reconnect: Callable[[], None]) -> None:
        self._place, self._monitor, self._reconnect = f"{host}, port {port}", monitor, reconnect
        self._connected = False
        self._refusal = ""

    def check(self, waited_s: float, patience_s: float) -> None:
        """Raises RobotError as soon as it is clear that nothing will come."""
        while self._monitor.poll(0):
            self._heed(recv_monitor_message(self._monitor)["event"])
        if self._refusal and waited_s > _REFUSED_S:
            raise errors.LeaseDenied(self._refusal)
        if waited_s > patience_s:
            what = "answers nothing" if self._connected else "offers no remote driving"
            raise errors.RobotUnreachable(
                f"{self._place} {what}. The appliance may be off, too old, or its owner hasn't switched it on "
                "(lease.enabled in raas.yaml); `raas lease` on it says so."
            )

    def _heed(self, event: int) -> None:
        self._connected = True
        if event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            self._refusal = (
                "The appliance doesn't know this token: it was taken back, or never handed out. "
                "Ask the robot's owner for a new one."
            )
            time.sleep(_LOOK_S)
            self._reconnect()  # libzmq itself gives up then; but a token may be this fresh
        elif event & _REFUSED_EVENTS:
            self._refusal = (
                f"What answers at {self._place} isn't the appliance that this token is for, or no lease service. "
                "Check the address, or ask the robot's owner for a new token."
            )


def parsed(address: str) -> tuple[str, int]:
    """Host and port of `raas://HOST[:PORT]`. Raises errors.RobotUnreachable."""
    try:
        parts = urlsplit(address)
        port = parts.port or remote_wire.DEFAULT_PORT
    except ValueError:
        parts, port = urlsplit(""), 0
    if f"{parts.scheme}://" != SCHEME or not parts.hostname or parts.path.strip("/") or parts.query or parts.username:
        raise errors.RobotUnreachable(
            f"{address!r} is no address of a robot; expected is such as 'raas://pendulum.local'."
        )
    return parts.hostname, port


def _resolved(host: str, port: int) -> str:
    """The address in ZeroMQ's words. Raises errors.RobotUnreachable where the name leads nowhere."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise errors.RobotUnreachable(
            f"The name {host!r} leads nowhere ({error.strerror or error}). Check it, or use the appliance's IP address; "
            "its page shows both."
        ) from error
    number = str(found[0][4][0])
    return f"tcp://[{number}]:{port}" if ":" in number else f"tcp://{number}:{port}"
