"""The gateway as a process between real sockets: what a job can do to it, and what the loop then hears of it."""

from __future__ import annotations

import random
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zmq

from appliance.realtime import orders, zmtp
from gym_raas import wire
from gym_raas.parameters import load_robot
from gym_raas.wire import Refusal
from tests.patience import eventually
from tests.realtime.gateway_process import GatewayProcess, running_gateway


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with running_gateway(tmp_path_factory.mktemp("g")) as running:
        yield running


@pytest.fixture
def gateway(process: GatewayProcess) -> Iterator[GatewayProcess]:
    """With an open session, and nothing left of the last test."""
    process.open()
    yield process
    process.end()
    assert process.is_alive


def test_the_socket_belongs_to_the_jobs_group_and_goes_with_the_session(gateway: GatewayProcess) -> None:
    status = gateway.address.stat()
    assert stat.S_IMODE(status.st_mode) == 0o660
    assert status.st_gid == gateway.job_gid
    gateway.close()
    assert not gateway.address.exists()


def test_an_action_goes_to_the_loop_and_its_answer_comes_back(gateway: GatewayProcess) -> None:
    job = gateway.job()
    welcome = job.hello()
    assert isinstance(welcome, wire.Welcome)
    assert (welcome.dt_s, welcome.time_left_s, welcome.parameter_hash) == (0.05, 60.0, load_robot().parameter_hash)
    job.send(wire.Action(1, 1.25).pack())
    request = gateway.next_request()
    assert (request.kind, request.seq, request.action) == (wire.Kind.ACTION, 1, 1.25)
    gateway.answer(request)
    assert job.receive() == gateway.sample(request.seq)


def test_close_then_make_works_at_once(gateway: GatewayProcess) -> None:
    for _ in range(5):
        job = gateway.job()
        assert isinstance(job.hello(), wire.Welcome)
        job.bye()
        off = gateway.next_request()
        assert (off.kind, off.mode) == (wire.Kind.RESET, wire.ResetMode.MOTOR_OFF)
        job.close()


def test_a_second_environment_is_refused_until_the_first_is_gone(gateway: GatewayProcess) -> None:
    first, second = gateway.job(), gateway.job()
    assert isinstance(first.hello(), wire.Welcome)
    refused = second.hello()
    assert isinstance(refused, wire.Refused)
    assert refused.code is Refusal.BUSY
    first.close()  # without a BYE, as a killed program
    assert gateway.next_request().mode == wire.ResetMode.MOTOR_OFF
    assert isinstance(second.hello(), wire.Welcome)


def test_a_second_session_has_another_socket_and_no_driver(gateway: GatewayProcess) -> None:
    assert isinstance(gateway.job().hello(), wire.Welcome)
    gateway.open()
    assert isinstance(gateway.job().hello(), wire.Welcome)


def test_the_end_of_a_session_answers_what_waits_and_what_comes_later(gateway: GatewayProcess) -> None:
    job = gateway.job()
    job.hello()
    job.send(wire.Action(1, 1.0).pack())
    gateway.next_request()
    gateway.tell(orders.Over(gateway.session, Refusal.OVER, "The time limit is reached."))
    for seq in (1, 2):
        assert job.receive() == wire.Refused(seq, Refusal.OVER, "The time limit is reached.")
        job.send(wire.Action(2, 1.0).pack())
    assert gateway.heard_nothing()


MALFORMED = {
    "empty": b"",
    "one byte": b"\0",
    "too long": wire.Action(1, 0.0).pack() + b"x",
    "too short": wire.Action(1, 0.0).pack()[:-1],
    "another version": b"RW" + bytes([wire.VERSION + 1, 2]) + bytes(12),
    "a reply": wire.Refused(1, Refusal.BUSY, "").pack(),
    "not a number": wire.Action(1, float("nan")).pack(),
    "infinite": wire.Action(1, float("inf")).pack(),
    "unknown reset": wire.Reset(1, wire.ResetMode.SETTLE).pack()[:-1] + b"\x09",
    "the longest": bytes(wire.MAX_MESSAGE_BYTES),
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_message_is_refused_with_words_and_goes_no_further(gateway: GatewayProcess, data: bytes) -> None:
    job = gateway.job()
    job.hello()
    job.send(data)
    refused = job.receive()
    assert isinstance(refused, wire.Refused)
    assert refused.code is Refusal.MALFORMED
    assert refused.text
    assert gateway.heard_nothing()


def test_mutated_messages_reach_the_loop_only_if_they_are_valid(gateway: GatewayProcess) -> None:
    chance = random.Random(1)
    job = gateway.job()
    job.hello()
    originals = [wire.Action(1, 1.0).pack(), wire.Read(2).pack(), wire.Reset(3, wire.ResetMode.SETTLE).pack()]
    for _ in range(600):
        data = bytearray(chance.choice(originals))
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        job.send(bytes(data))
    for request in gateway.requests_until_quiet():
        assert request.session == gateway.session
        assert -float("inf") < request.action < float("inf")
        assert request.kind in (wire.Kind.ACTION, wire.Kind.READ, wire.Kind.RESET)


# -- floods -------------------------------------------------------------------------------------------------------


def raw(gateway: GatewayProcess, opening: bytes = b"", patience_s: float = 10.0) -> socket.socket:
    """A connection below ZeroMQ; tried again while the gateway's short backlog is full."""
    deadline_s = time.monotonic() + patience_s
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(1.0)
        try:
            connection.connect(str(gateway.address))
            connection.sendall(opening)
            return connection
        except OSError:
            connection.close()
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.005)


DEALER_OPENING = zmtp.GREETING + bytes([4, 28]) + b"\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER"


def endless(chunk: bytes) -> Callable[[GatewayProcess, float], int]:
    """Sends `chunk` again and again on raw connections; returns how many bytes it got rid of."""

    def flood(gateway: GatewayProcess, until_s: float) -> int:
        sent = 0
        while time.monotonic() < until_s:
            try:
                with raw(gateway, DEALER_OPENING, until_s - time.monotonic()) as connection:
                    connection.settimeout(0.2)
                    while time.monotonic() < until_s:
                        sent += connection.send(chunk)
            except OSError:
                time.sleep(0.001)
        return sent

    return flood


def half_open(gateway: GatewayProcess, until_s: float) -> int:
    connections = []
    while time.monotonic() < until_s:
        try:
            connections.append(raw(gateway, zmtp.GREETING[:7], until_s - time.monotonic()))
        except OSError:
            time.sleep(0.001)
        if len(connections) > 200:
            connections.pop(0).close()
    for connection in connections:
        connection.close()
    return len(connections)


def polite_messages(gateway: GatewayProcess, until_s: float) -> int:
    job, sent = gateway.job(), 0
    job.hello()
    while time.monotonic() < until_s:
        try:
            job.socket.send(wire.Action(sent, 2.0).pack(), zmq.NOBLOCK)
            sent += 1
        except zmq.Again:
            time.sleep(0.001)
    return sent


FLOODS = {
    "an endless multipart message": endless((b"\x01\xff" + bytes(255)) * 100),
    "frames of 64 MiB": endless(b"\x02" + (64 << 20).to_bytes(8, "big") + bytes(65536)),
    "goodbyes without end": endless(zmtp.frame(wire.Bye().pack()) * 500),
    "pings without end": endless(b"\x04\x07\x04PING\x00\x00" * 500),
    "half-open connections": half_open,
    "as many actions as it can": polite_messages,
}


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
def test_a_flood_costs_the_gateway_little_and_the_loop_nothing(
    gateway: GatewayProcess, flood: Callable[[GatewayProcess, float], int]
) -> None:
    memory_kb, cpu_s, since_s = gateway.memory_kb(), gateway.cpu_s(), time.monotonic()
    attack = threading.Thread(target=flood, args=(gateway, since_s + 1.5))
    attack.start()
    requests = gateway.requests_until_quiet(until_s=since_s + 1.5)
    attack.join()
    spent = (gateway.cpu_s() - cpu_s) / (time.monotonic() - since_s)
    assert gateway.memory_kb() - memory_kb < 4096
    assert spent < 0.3, f"{spent:.0%} of a core"
    assert len(requests) < 2.5 * gateway.max_messages_hz
    # And an honest program is served, in this session and the next.
    gateway.open()
    assert isinstance(gateway.job().hello(), wire.Welcome)


def test_orders_are_obeyed_during_a_flood(gateway: GatewayProcess) -> None:
    attack = threading.Thread(target=FLOODS["goodbyes without end"], args=(gateway, time.monotonic() + 1.0))
    attack.start()
    since_s = time.monotonic()
    gateway.close()
    assert time.monotonic() - since_s < 0.5
    attack.join()


def test_a_program_that_reads_without_pause_is_paced_not_refused(gateway: GatewayProcess) -> None:
    job = gateway.job()
    job.hello()
    since_s, count = time.monotonic(), 600
    with gateway.answering():
        for _ in range(count):
            assert isinstance(job.read(), wire.Sample)
    assert time.monotonic() - since_s >= (count - 250) / gateway.max_messages_hz


def test_a_job_that_never_reads_its_answers_loses_its_connection(gateway: GatewayProcess) -> None:
    with raw(gateway, DEALER_OPENING) as connection:
        connection.setblocking(False)
        gateway.tell(orders.Over(gateway.session, Refusal.OVER, "over"))
        hello = zmtp.frame(wire.Read(1).pack()) * 20

        def is_dropped() -> bool:
            try:
                connection.send(hello)
            except BlockingIOError:
                return False
            except OSError:
                return True
            return False

        eventually(is_dropped, what="the end of a connection that doesn't read")


def test_a_silent_stranger_makes_room_for_the_driver(gateway: GatewayProcess) -> None:
    strangers = [raw(gateway, DEALER_OPENING) for _ in range(20)]
    job = gateway.job()
    assert isinstance(job.hello(), wire.Welcome)
    strangers += [raw(gateway, DEALER_OPENING) for _ in range(20)]
    job.send(wire.Action(1, 1.0).pack())
    gateway.answer(gateway.next_request())
    assert isinstance(job.receive(), wire.Sample)
    for stranger in strangers:
        stranger.close()


def test_who_says_nothing_is_cut_off(gateway: GatewayProcess) -> None:
    with raw(gateway, zmtp.GREETING[:30]) as connection:
        connection.settimeout(5.0)
        while connection.recv(100):
            pass


def test_the_gateway_ends_with_the_guard(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as process:
        process.guard.close()
        eventually(lambda: not process.is_alive, what="the gateway's end")
