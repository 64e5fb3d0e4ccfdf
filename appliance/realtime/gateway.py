"""What stands between a job and the motor loop? The gateway: `python -m appliance.realtime.gateway`, a child of the guard.

Strangers' bytes end here. What a job sends becomes a `DriverRequest` or a refusal; nothing else crosses to the loop. If this
process is stopped, flooded or killed, the loop doesn't notice; the guard starts it anew and has it reopen the socket.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from appliance import config as configuration
from appliance import process
from appliance.lifeline import die_with_parent
from appliance.paths import Paths
from appliance.realtime import messages, orders
from appliance.realtime.cores import keep_off_loop_core
from appliance.realtime.job_socket import JobSocket
from appliance.realtime.telemetry import LiveRing
from appliance.realtime.wheel import Answer, Greet, Outcome, Wheel
from gym_raas import wire
from gym_raas.kinds.known import KINDS
from gym_raas.parameters import Robot, load_robot

_log = logging.getLogger("gateway")


@dataclass(frozen=True)
class Settings:
    """What the gateway must know beside its two sockets."""

    paths: Paths
    robot: Robot
    max_messages_hz: int


class Gateway:
    """The job's socket of the present session, and the way from there to the loop and back."""

    def __init__(self, settings: Settings, to_loop: socket.socket, to_guard: socket.socket) -> None:
        self._settings = settings
        self._to_loop, self._to_guard = to_loop, to_guard
        self._loop = asyncio.get_running_loop()
        self._wheel: Wheel | None = None
        self._door: JobSocket | None = None
        self._limit_s = 0.0
        self._ring: LiveRing | None = None
        self.closed = asyncio.Event()
        self._loop.add_reader(to_loop, self._on_loop)
        self._loop.add_reader(to_guard, self._on_guard)
        self._answer(orders.Ready())

    def _on_guard(self) -> None:
        data = _receive(self._to_guard, orders.MAX_ORDER_BYTES)
        if data is None:
            return
        if not data:  # the guard is gone, so are we
            self._close_door()
            self._loop.remove_reader(self._to_guard)
            self.closed.set()
            return
        order = orders.decode_order(data)
        if isinstance(order, orders.Open):
            self._open(order)
        elif isinstance(order, orders.Over):
            if self._wheel is not None and self._wheel.session == order.session:
                self._carry_out(self._wheel.end(wire.Refusal(order.code), order.text))
        else:
            self._close_door()
            self._answer(orders.Closed(order.session))

    def _open(self, order: orders.Open) -> None:
        self._close_door()
        path = self._settings.paths.session(order.session) / wire.SOCKET_NAME
        try:
            self._door = JobSocket(
                path, order.job_gid, self._settings.max_messages_hz, self._on_message, self._on_gone, self._is_driver
            )
        except OSError as error:
            self._answer(orders.Opened(order.session, f"The job's socket can't be made: {error}"))
            return
        # Random, so that replies to a gateway that died are never taken for ours.
        self._wheel = Wheel(order.session, secrets.randbits(32), self._loop.time())
        self._limit_s = order.limit_s
        self._answer(orders.Opened(order.session))

    def _close_door(self) -> None:
        door, self._door, self._wheel = self._door, None, None
        if door is not None:
            door.close()

    def _is_driver(self, peer: int) -> bool:
        return self._wheel is not None and self._wheel.driver == peer

    def _on_message(self, peer: int, data: bytes) -> None:
        if self._wheel is not None:
            self._carry_out(self._wheel.receive(peer, data, self._loop.time()))

    def _on_gone(self, peer: int) -> None:
        if self._wheel is not None:
            self._carry_out(self._wheel.gone(peer))

    def _on_loop(self) -> None:
        data = _receive(self._to_loop, messages.MAX_DATAGRAM_BYTES)
        if data and self._wheel is not None:
            self._carry_out(self._wheel.replied(messages.unpack_reply(data)))

    def _carry_out(self, outcomes: list[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Answer):
                self._send(outcome.peer, outcome.message)
            elif isinstance(outcome, Greet):
                self._send(outcome.peer, self._welcome().pack())
            elif not _send(self._to_loop, messages.pack_request(outcome.request)) and self._wheel is not None:
                self._carry_out(self._wheel.not_sent())

    def _send(self, peer: int, message: bytes) -> None:
        if self._door is not None:
            self._door.send(peer, message)

    def _answer(self, answer: orders.Answer) -> None:
        _send(self._to_guard, orders.encode(answer))

    def _welcome(self) -> wire.Welcome:
        robot = self._settings.robot
        return wire.Welcome(
            KINDS[robot.kind].task.dt_s, self._time_left_s(), robot.encoder.counts_per_turn, robot.limits.action,
            robot.parameter_hash, robot.kind,
        )  # fmt: skip

    def _time_left_s(self) -> float:
        """By the loop's clock; the whole limit before run.py has started."""
        if self._ring is None:
            try:
                self._ring = LiveRing(self._settings.paths.live_ring)
            except (OSError, ValueError):
                return self._limit_s
        newest = self._ring.newest()
        if newest is None or self._wheel is None or newest[1].session != self._wheel.session:
            return self._limit_s
        return min(self._limit_s, newest[1].time_left_us / 1e6)


def _receive(source: socket.socket, size: int) -> bytes | None:
    """A datagram; empty at the other side's end; None when there is none."""
    try:
        return source.recv(size)
    except (BlockingIOError, InterruptedError):
        return None
    except ConnectionResetError:
        return b""


def _send(target: socket.socket, data: bytes) -> bool:
    try:
        target.send(data)
    except OSError:
        return False
    return True


async def serve(settings: Settings, to_loop: socket.socket, to_guard: socket.socket) -> None:
    """Be the gateway until the guard is gone."""
    await Gateway(settings, to_loop, to_guard).closed.wait()


def main(arguments: list[str] | None = None, run: Callable[..., object] = asyncio.run) -> int:
    """Entry point; the guard passes the file descriptors."""
    parser = process.arguments("raas-gateway", "Between a job and the motor loop.")
    parser.add_argument("--link", help="not used here; all children get the same arguments")
    parser.add_argument("--loop-fd", type=int, required=True)
    parser.add_argument("--guard-fd", type=int, required=True)
    parser.add_argument("--parent", type=int, default=os.getppid(), help="process id of the guard; default: our parent")
    given = parser.parse_args(arguments)
    process.log_to_stderr("gateway: %(message)s")
    paths = Paths.of(given.data, given.runtime_root)
    config = configuration.load(given.config or paths.config)
    robot = load_robot(Path(config.robot.file) if config.robot.file else None)
    settings = Settings(paths, robot, config.realtime.max_messages_hz)
    if not die_with_parent(given.parent):
        return os.EX_OK
    keep_off_loop_core(config.realtime.cpu)
    to_loop, to_guard = (socket.socket(fileno=fd) for fd in (given.loop_fd, given.guard_fd))
    for each in (to_loop, to_guard):
        each.setblocking(False)
    run(serve(settings, to_loop, to_guard))
    return os.EX_OK


if __name__ == "__main__":
    sys.exit(main())
