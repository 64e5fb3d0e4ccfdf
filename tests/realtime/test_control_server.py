"""The control sockets with clients that are slow, silent, mad or many; the robot behind them is made up."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from appliance.errors import RobotError
from appliance.realtime import control
from appliance.realtime.control import MAX_LINE_BYTES, RIGHTS, GuardClient, Reply
from appliance.realtime.control_server import MAX_CONNECTIONS, ControlServer
from tests.patience import eventually


class Server:
    """A server in a thread of its own. `settle` takes as long as it says, everything else is done at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[control.Request] = []
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._serve()))
        self._thread.start()
        assert self._ready.wait(10.0)

    def path(self, right: str) -> Path:
        return self.folder / f"{right}.sock"

    def client(self, right: str) -> GuardClient:
        return GuardClient(self.path(right), 5.0)

    def raw(self, right: str) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(5.0)
        connection.connect(str(self.path(right)))
        return connection

    async def _serve(self) -> None:
        server = ControlServer(self.path, self._handle, lambda error: Reply(ok=False, error=error))
        await server.open()
        self._ready.set()
        await self._stop.wait()
        server.close()

    async def _handle(self, request: control.Request) -> Reply:
        self.requests.append(request)
        if isinstance(request, control.Settle):
            await asyncio.sleep(request.timeout_s)
        if isinstance(request, control.Arm):
            raise RuntimeError("a fault of our own")
        return Reply(state=type(request).__name__)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def server() -> Iterator[Server]:
    folder = Path(f"/tmp/raas-{secrets.token_hex(3)}")
    folder.mkdir()
    running = Server(folder)
    yield running
    running.close()
    assert list(folder.iterdir()) == []
    folder.rmdir()


def test_requests_of_one_connection_are_answered_in_order(server: Server) -> None:
    with server.raw("runner") as connection:
        connection.sendall(b'{"type":"settle","timeout_s":0.1}\n{"type":"status"}\n{"type":"lease","session":"x"}\n')
        lines = [msgspec.json.decode(line, type=Reply).state for line in _lines(connection, 3)]
    assert lines == ["Settle", "Status", "Lease"]


def _lines(connection: socket.socket, count: int) -> list[bytes]:
    with connection.makefile("rb") as stream:
        return [stream.readline() for _ in range(count)]


@pytest.mark.parametrize("right", RIGHTS)
def test_each_socket_allows_its_own_requests_only(server: Server, right: str) -> None:
    requests: list[control.Request] = [
        control.Stop(), control.Resume(), control.Status(), control.Settle(0.0), control.Start("s"), control.Lease("s"),
        control.Disarm("s"),
    ]  # fmt: skip
    with server.client(right) as client:
        for request in requests:
            reply = client.ask(request)
            assert reply.ok == (type(request) in RIGHTS[right])
            assert reply.ok or "isn't allowed" in reply.error
    assert {type(request) for request in server.requests} <= set(RIGHTS[right])


@pytest.mark.parametrize("right", RIGHTS)
def test_a_socket_is_for_its_user_and_group_alone(server: Server, right: str) -> None:
    assert stat.S_IMODE(server.path(right).stat().st_mode) == 0o660


@pytest.mark.parametrize(
    "line", [b"", b"null", b"{}", b'{"type":"explode"}', b"\xff\x00", b"[" * 4000, b'{"type":"lease"}']
)
def test_what_is_no_request_gets_an_answer_that_says_so(server: Server, line: bytes) -> None:
    with server.raw("runner") as connection:
        connection.sendall(line + b'\n{"type":"status"}\n')
        refused, status = (msgspec.json.decode(each, type=Reply) for each in _lines(connection, 2))
    assert not refused.ok
    assert "Not a request" in refused.error
    assert status.ok


def test_a_line_without_end_is_refused_and_the_connection_ends(server: Server) -> None:
    with server.raw("stop") as connection:
        connection.sendall(b"x" * MAX_LINE_BYTES)
        with connection.makefile("rb") as stream:
            assert str(MAX_LINE_BYTES) in msgspec.json.decode(stream.readline(), type=Reply).error
            assert stream.readline() == b""


def test_a_fault_of_the_guards_own_is_answered_and_survived(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    with server.client("runner") as client:
        reply = client.ask(control.Arm("s", "j", 1.0, 0))
        assert not reply.ok
        assert client.ask(control.Status()).ok
    assert "a fault of our own" in caplog.text


def test_a_slow_request_holds_up_nobody_else(server: Server) -> None:
    with server.raw("runner") as slow, server.client("stop") as client:
        slow.sendall(b'{"type":"settle","timeout_s":1.0}\n')
        since_s = time.monotonic()
        assert client.ask(control.Stop()).ok
        assert time.monotonic() - since_s < 0.5


def test_half_a_request_holds_up_nobody_else(server: Server) -> None:
    with server.raw("stop") as half, server.client("stop") as client:
        half.sendall(b'{"type":"st')
        assert client.ask(control.Stop()).ok
        half.sendall(b'op"}\n')
        assert _lines(half, 1)[0].startswith(b'{"ok":true')


def test_a_client_that_reads_no_answers_is_cut_off(server: Server) -> None:
    with server.raw("stop") as deaf:
        deaf.setblocking(False)

        def is_cut_off() -> bool:
            try:
                deaf.send(b'{"type":"status"}\n' * 100)
            except BlockingIOError:
                return False
            except OSError:
                return True
            return False

        eventually(is_cut_off, what="the end of a client that doesn't read")
    with server.client("stop") as client:
        assert client.ask(control.Stop()).ok


FLOOD = """
import socket, sys, threading, time

def flood():
    while True:
        try:
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(sys.argv[1])
            if sys.argv[2] == "requests":
                while True:
                    connection.sendall(b'{"type":"status"}\\n' * 50)
                    connection.recv(65536)
            kept.append(connection)
            if len(kept) > 300:
                kept.pop(0).close()
        except OSError:
            pass

kept = []
threads = [threading.Thread(target=flood, daemon=True) for _ in range(8)]
[thread.start() for thread in threads]
print("on", flush=True)
time.sleep(60)
"""


@contextlib.contextmanager
def flooded(path: Path, kind: str) -> Iterator[None]:
    """Another process floods the socket at `path` with requests or with connections."""
    command = [sys.executable, "-c", FLOOD, str(path), kind]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"on\n"
        try:
            yield
        finally:
            process.kill()


@pytest.mark.parametrize("kind", ["requests", "connections"])
def test_a_stop_is_heard_while_another_process_floods_the_socket(server: Server, kind: str) -> None:
    with flooded(server.path("stop"), kind):
        answers_s = []
        for _ in range(20):
            since_s = time.monotonic()
            with server.client("stop") as client:
                assert client.ask(control.Stop()).ok
            answers_s.append(time.monotonic() - since_s)
    assert sorted(answers_s)[10] < 0.2


def test_too_many_connections_end_the_quietest(server: Server) -> None:
    clients = [server.client("stop") for _ in range(MAX_CONNECTIONS)]
    for client in reversed(clients):
        assert client.ask(control.Status()).ok
    with server.client("stop") as newest:
        assert newest.ask(control.Status()).ok
        with pytest.raises(RobotError):
            clients[-1].ask(control.Status())
        assert clients[0].ask(control.Status()).ok
    for client in clients:
        client.close()


def test_the_client_says_what_to_do_when_there_is_no_guard() -> None:
    with pytest.raises(RobotError, match="raas-realtime"):
        GuardClient(Path("/tmp/raas-nowhere/stop.sock"))
