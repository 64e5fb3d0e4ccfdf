"""A gateway with a simulated robot behind it, in a thread: the protocol's other end, which can also misbehave on cue."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import zmq

from gym_raas import wire
from gym_raas.parameters import load_robot
from gym_raas.simulation import SimulatedPlant
from gym_raas.wire import Refusal, Refused, Sample, Welcome

_POLL_MS = 20


@dataclass
class StandIn:
    """What arrived, and what goes wrong on cue.

    `lose` requests go unanswered, each takes `stall_s`, `refuse` answers come first, `stale` ones too; `forget_driver`
    until a HELLO; `replies_raw` come before each answer; `refuse_hello` answers HELLOs; `kind` is what it says it is.
    """

    address: str
    received: list[wire.Request] = field(default_factory=list)
    lose: int = 0
    refuse: list[Refusal] = field(default_factory=list)
    stale: int = 0
    stall_s: float = 0.0
    forget_driver: bool = False
    replies_raw: list[bytes] = field(default_factory=list)
    refuse_hello: list[Refusal] = field(default_factory=list)
    kind: str = "pendulum"

    def kinds(self) -> list[str]:
        return [type(request).__name__ for request in self.received]


def _sample(plant: SimulatedPlant, seq: int) -> Sample:
    reading = plant.read()
    return Sample(
        seq, reading.k, 0, reading.k * 50_000, 0, reading.angle_rad, reading.velocity_rad_s, 0.001, 0.05, 0.0,
        reading.command, reading.flags,
    )  # fmt: skip


def _answer(state: StandIn, plant: SimulatedPlant, request: wire.Request) -> Iterator[bytes]:
    if isinstance(request, wire.Hello):
        if state.refuse_hello:
            yield Refused(0, state.refuse_hello.pop(0), "no hello").pack()
            return
        state.forget_driver = False
        yield Welcome(0.05, 120.0, 480, 2.0, load_robot().parameter_hash, state.kind).pack()
        return
    if isinstance(request, wire.Bye):
        return
    if state.lose:
        state.lose -= 1
        return
    if state.forget_driver:
        yield Refused(request.seq, Refusal.NOT_DRIVER, "Nobody drives. Say HELLO first.").pack()
        return
    if state.refuse:
        code = state.refuse.pop(0)
        yield Refused(request.seq, code, f"refused on cue: {code.name}").pack()
        return
    for _ in range(state.stale):
        yield _sample(plant, request.seq - 1).pack()
    yield from state.replies_raw
    if isinstance(request, wire.Action):
        plant.step(request.action)
    elif isinstance(request, wire.Reset):
        plant.reset(request.mode)
    yield _sample(plant, request.seq).pack()


def _serve(state: StandIn, stop: threading.Event) -> None:
    plant = SimulatedPlant(load_robot())
    context = zmq.Context()
    socket = context.socket(zmq.ROUTER)
    socket.bind(state.address)
    while not stop.is_set():
        if not socket.poll(_POLL_MS):
            continue
        peer, data = socket.recv_multipart()
        request = wire.parse_request(data)
        state.received.append(request)
        time.sleep(state.stall_s)
        for reply in _answer(state, plant, request):
            socket.send_multipart([peer, reply])
    socket.close(linger=0)
    context.term()


_numbers = itertools.count()


@contextlib.contextmanager
def running(state: StandIn) -> Iterator[StandIn]:
    """Serve until the block ends."""
    stop = threading.Event()
    thread = threading.Thread(target=_serve, args=(state, stop), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        stop.set()
        thread.join()


def fresh_address(folder: Path) -> str:
    return f"ipc://{folder}/robot{next(_numbers)}"
