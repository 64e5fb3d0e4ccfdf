"""What strangers try at the lease service's port, and people with a token who want more than it gives."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from appliance.identity.ownership import Ownership
from appliance.jobs import State
from appliance.lease import keys
from gym_raas import remote_token, remote_wire, wire
from gym_raas.remote_wire import Ask, Denied, Request
from tests.lease.lab import Lab, running_lab, swing
from tests.patience import eventually

FLOOD = 300


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running_lab("limit_s: 60") as started:
        yield started


@pytest.fixture(scope="module")
def token(lab: Lab) -> str:
    return lab.token("anna")


@contextlib.contextmanager
def dealer(lab: Lab, token: str | None, port: int = 0) -> Iterator[zmq.Socket[bytes]]:
    """A socket of an attacker, with a token's keys or without any."""
    context = zmq.Context[zmq.Socket[bytes]]()
    made = context.socket(zmq.DEALER)
    if token is not None:
        found = remote_token.read(token)
        secret = z85.encode(found.client_secret)
        made.curve_serverkey, made.curve_secretkey = z85.encode(found.server_public), secret
        made.curve_publickey = zmq.curve_public(secret)
    made.connect(f"tcp://127.0.0.1:{port or lab.port}")
    try:
        yield made
    finally:
        context.destroy(linger=0)


def test_without_a_key_nothing_gets_in(lab: Lab) -> None:
    jobs = len(lab.store.recent())
    with dealer(lab, None) as stranger:
        monitor = stranger.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
        stranger.send(Ask(1, 0.0, "x").pack())
        assert monitor.poll(5000)
        assert recv_monitor_message(monitor)["event"] == zmq.EVENT_DISCONNECTED
        assert not stranger.poll(300)
    assert len(lab.store.recent()) == jobs


def test_a_key_that_nobody_let_in_gets_nothing(lab: Lab) -> None:
    server = keys.public(keys.server_secret(lab.paths.lease))
    with dealer(lab, remote_token.LeaseToken(server, keys.new_secret()).text()) as stranger:
        monitor = stranger.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_SUCCEEDED)
        assert monitor.poll(5000)
        assert recv_monitor_message(monitor)["event"] == zmq.EVENT_HANDSHAKE_FAILED_AUTH


def test_another_persons_token_moves_nothing_even_with_the_drivers_number(lab: Lab, token: str) -> None:
    client = lab.drive(token)
    client.step(0.0)
    number = client._client
    with dealer(lab, lab.token("mallory")) as mallory:
        for inner in (wire.Action(7, 2.0).pack(), wire.Bye().pack(), wire.Hello(1).pack()):
            mallory.send(Request(number, 0.0, inner).pack())
            assert mallory.poll(5000)
            answer = remote_wire.parse_from_service(mallory.recv())
            assert isinstance(answer, Denied)
            assert "mallory holds no lease" in answer.text
    client.step(1.0)
    client.close()
    ended = lab.ended(client.job_id)
    assert (ended.state, ended.steps) == (State.SUCCEEDED, 2)


@pytest.mark.slow
def test_a_recorded_conversation_played_again_does_nothing(lab: Lab, token: str) -> None:
    with _recorder(lab.port) as (port, said):
        client = lab.drive(token, f"raas://127.0.0.1:{port}")
        client.step(1.0)
        client.close()
    lab.ended(client.job_id)
    jobs = len(lab.store.recent())
    with socket.create_connection(("127.0.0.1", lab.port)) as again:
        again.settimeout(3.0)
        with contextlib.suppress(OSError):
            for piece in said:
                again.sendall(piece)
                again.recv(4096)
            while again.recv(4096):
                pass
    assert len(said) > 3
    assert len(lab.store.recent()) == jobs


@pytest.mark.slow
def test_half_open_connections_hold_nobody_up(lab: Lab, token: str) -> None:
    client = lab.drive(token)
    client.step(1.0)
    flood = [socket.create_connection(("127.0.0.1", lab.port)) for _ in range(FLOOD)]
    for k in range(20):
        client.step(swing(k))
    client.close()
    assert lab.ended(client.job_id).state is State.SUCCEEDED
    after = lab.drive(token)  # the flood is still there, as far as the kernel knows
    after.close()
    for connection in flood:
        connection.close()
    lab.ended(after.job_id)


def test_garbage_from_somebody_with_a_token_is_refused_in_words(lab: Lab) -> None:
    with dealer(lab, lab.token("nina")) as nina:
        for garbage in (b"", b"RL", b"x" * 100, b"RL\x01\x63" + b"\0" * 20, Ask(1, float("nan"), "").pack()):
            nina.send(garbage)
            assert nina.poll(5000), garbage
            answer = remote_wire.parse_from_service(nina.recv())
            assert isinstance(answer, Denied)
            assert answer.code is remote_wire.Denial.MALFORMED


@pytest.mark.slow
def test_a_message_without_end_costs_its_sender_and_nobody_else(lab: Lab, token: str) -> None:
    """Libzmq keeps all parts until the last: the service may end, but the machine's memory stays."""
    with dealer(lab, lab.token("olga")) as olga:
        until_s = time.monotonic() + 2.0
        with contextlib.suppress(zmq.Again):
            while time.monotonic() < until_s:
                olga.send(b"x" * 400, zmq.SNDMORE | zmq.NOBLOCK)
        assert _memory_bytes(lab.service.pid) < 700 << 20
    if lab.service.poll() is not None:
        lab.start_service()
    client = lab.drive(token)
    client.step(1.0)
    client.close()
    assert lab.ended(client.job_id).state is State.SUCCEEDED


def test_a_lease_token_opens_nothing_over_http(token: str, tmp_path: Path) -> None:
    ownership = Ownership(tmp_path)
    ownership.claim(ownership.setup_code(), "correct horse battery")
    assert ownership.token(token, time.time()) is None


def test_only_its_owner_reads_the_appliances_key(lab: Lab) -> None:
    key = lab.paths.lease / keys.SERVER_KEY
    assert key.stat().st_mode & 0o077 == 0
    assert keys.server_secret(lab.paths.lease) == key.read_bytes(), "it is made once"


def _memory_bytes(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * 4096


@contextlib.contextmanager
def _recorder(port: int) -> Iterator[tuple[int, list[bytes]]]:
    """A proxy that keeps what the client says."""
    said: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, target: socket.socket, kept: list[bytes] | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(4096):
                if kept is not None:
                    kept.append(data)
                target.sendall(data)

    def serve() -> None:
        with contextlib.suppress(OSError):
            client, _ = listener.accept()
            service = socket.create_connection(("127.0.0.1", port))
            threading.Thread(target=pump, args=(service, client, None), daemon=True).start()
            pump(client, service, said)
            service.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1], said
    eventually(lambda: not thread.is_alive(), 10.0, "the client has gone")
    listener.close()
