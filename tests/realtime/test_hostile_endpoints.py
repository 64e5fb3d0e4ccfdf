"""The same onslaught on real processes: job socket, control sockets, HTTP. They live on, and a driven robot is driven on.

What changes must be what a valid message may change: the oracle is the decoder itself, asked about the very bytes that were sent.
The default suite takes a sample; `make chaos` sends 10,000 random and 10,000 spoilt valid messages to each endpoint.
"""

from __future__ import annotations

import contextlib
import socket
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from hypothesis import strategies as st

from appliance.realtime import control, zmtp
from appliance.realtime.control import RIGHTS, Reply
from gym_raas import wire
from tests.realtime.guard_process import Rig, running_rig
from tests.realtime.test_hostile_messages import JOB_MESSAGES, Check, attack, spoilt, u32
from tests.realtime.test_zmtp import OPENING
from tests.webui.conftest import set_stage
from tests.webui.http_calls import call
from tests.webui.stage import Stage, WebProcess

SAMPLE, MANY = (15, 30), (10_000, 10_000)
LONG_S = 3000.0
#: Long enough that nothing lapses between two of a busy machine's examples.
CONFIG = "realtime: {lease_s: 10.0, dead_man_s: 1.0, job_silence_s: 30.0}\n"

LINES = st.one_of(
    st.builds(control.Stop, st.text(), st.text()), st.builds(control.Resume, st.text()), st.builds(control.Status),
    st.builds(control.Arm, st.text(), st.text(), st.floats(allow_nan=False, allow_infinity=False), st.integers()),
    st.builds(control.Start, st.text()), st.builds(control.Lease, st.text()), st.builds(control.Disarm, st.text()),
).map(msgspec.json.encode)  # fmt: skip
STREAMS = st.lists(st.one_of(JOB_MESSAGES, st.builds(wire.Hello, u32).map(lambda hello: hello.pack())), max_size=5).map(
    lambda sent: OPENING + b"".join(map(zmtp.frame, sent))
)
PATHS = {
    "api/robot/stop": control.Stop,
    "stop": control.Stop,
    "api/robot/resume": control.Resume,
    "resume": control.Resume,
}
REQUESTS = st.builds(
    lambda method, path, kind, body: (
        (
            f"{method} /{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        + body
    ),
    st.sampled_from(["POST", "POST", "GET", "PUT"]),
    st.sampled_from([*PATHS, "api/robot", "api/robot/motion", "healthz"]),
    st.sampled_from(["application/json", "application/x-www-form-urlencoded"]),
    st.sampled_from([b"", b'{"why": "smoke"}', b"why=smoke", b"null"]) | st.binary(max_size=20),
)


@dataclass
class Driven:
    """A robot that a job drives, and the processes that serve it."""

    rig: Rig

    def __post_init__(self) -> None:
        self.drive()
        self.pids = self._pids()

    def drive(self) -> None:
        """Arm and drive; whatever is latched is resumed."""
        self.rig.resume()
        self.rig.disarm()
        for segment in self.rig.paths.shm.glob("[0-9a-f]" * 16):
            segment.unlink()  # as the runner does; each has room for a session of LONG_S
        self.rig.wait_ready()
        assert self.rig.arm(LONG_S).ok
        assert self.rig.start().ok
        self.job = self.rig.job()
        assert isinstance(self.job.hello(), wire.Welcome)
        assert isinstance(self.job.act(1.0), wire.Sample)

    def _pids(self) -> tuple[int, ...]:
        return self.rig.guard.pid, self.rig.child("loop"), self.rig.child("gateway")

    def assert_well(self) -> Reply:
        """All processes are the same ones, and answer."""
        assert self._pids() == self.pids
        status = self.rig.lease()
        assert status.loop_alive
        assert status.gateway_alive
        return status

    def hear_line(self, right: str, data: bytes) -> None:
        """Send to a control socket. Only a request that this right may make changes the state."""
        allowed = any(_is_request(line, right) for line in data.split(b"\n"))
        answers = _exchange(self.rig.paths.control(right), data + b"\n")
        for answer in answers.splitlines():
            msgspec.json.decode(answer, type=Reply)
        status = self.assert_well()
        if allowed and (status.stopped or status.session != self.rig.session):
            self.drive()
            return
        assert (status.state, status.session, status.stopped) == ("running", self.rig.session, False)

    def hear_stream(self, data: bytes) -> None:
        """Send to the job's socket, beside the driver: whatever it says, the driver drives on."""
        _exchange(self.rig.paths.session(int(self.rig.session, 16)) / wire.SOCKET_NAME, data, patience_s=0.003)
        assert isinstance(self.job.read(), wire.Sample)
        assert self.assert_well().state == "running"


def _is_request(line: bytes, right: str) -> bool:
    try:
        return type(control.decode_request(line)) in RIGHTS[right]
    except control.UNREADABLE:
        return False


def _exchange(path: Path, data: bytes, patience_s: float = 5.0) -> bytes:
    """What is answered to this: as many lines as were sent, or whatever comes within the patience."""
    answer = b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, contextlib.suppress(OSError):
        client.settimeout(patience_s)
        client.connect(str(path))
        client.sendall(data)
        while answer.count(b"\n") < data.count(b"\n") and (piece := client.recv(65536)):
            answer += piece
    return answer


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driven]:
    with running_rig(tmp_path_factory.mktemp("driven"), CONFIG) as rig:
        yield Driven(rig)


@pytest.fixture(scope="module")
def page() -> Iterator[tuple[Stage, WebProcess]]:
    with set_stage() as stage, stage.serve() as process:
        yield stage, process


def onslaught(check: Check, valid: st.SearchStrategy[bytes], examples: tuple[int, int]) -> None:
    attack(check, st.binary(max_size=64), examples[0])
    attack(check, spoilt(valid), examples[1])


def to_the_page(stage: Stage, web: WebProcess, data: bytes) -> None:
    """Nothing reaches the guard but what a POST to one of the four addresses asks for."""
    before = len(stage.guard.asked)
    _over_http(web.port, data)
    line = data.replace(b"\r\n", b"\n").lstrip(b"\n").split(b"\n")[0].decode("latin-1").split()
    path = urllib.parse.unquote(line[1].split("?")[0]).strip("/") if len(line) > 1 else ""
    wanted = PATHS.get(path) if line[:1] == ["POST"] else None
    for request in stage.guard.asked[before:]:
        assert wanted is not None, data
        assert isinstance(request, wanted), data
    assert call(web.port, "GET", "/api/robot").status == 200


def _over_http(port: int, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), 10.0) as client, contextlib.suppress(OSError):
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        while client.recv(65536):
            pass


@pytest.mark.parametrize("right", RIGHTS)
def test_a_control_socket_does_nothing_that_no_valid_line_could(driven: Driven, right: str) -> None:
    onslaught(lambda data: driven.hear_line(right, data), LINES, SAMPLE)


def test_no_stranger_at_the_job_s_socket_disturbs_the_driver(driven: Driven) -> None:
    onslaught(driven.hear_stream, STREAMS, SAMPLE)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("right", RIGHTS)
def test_nor_do_control_sockets_after_ten_thousand_of_each(driven: Driven, right: str) -> None:
    onslaught(lambda data: driven.hear_line(right, data), LINES, MANY)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_nor_the_job_s_socket(driven: Driven) -> None:
    onslaught(driven.hear_stream, STREAMS, MANY)


@pytest.mark.chaos
@pytest.mark.timeout(3600)
def test_nothing_over_http_reaches_the_guard_but_stop_and_resume(page: tuple[Stage, WebProcess]) -> None:
    onslaught(lambda data: to_the_page(*page, data), REQUESTS, MANY)
