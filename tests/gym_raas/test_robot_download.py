"""A robot file over HTTP: from an appliance, and from those who aren't one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import gymnasium
import pytest

import gym_raas  # noqa: F401 - registers the environments
from gym_raas import robot_download
from gym_raas.parameters import MAX_FILE_BYTES, PACKAGED, RobotFileError, load_robot


@contextmanager
def served(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                answer(self)
            except OSError:
                pass  # the other side has gone, as it should

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def body(content: bytes, status: int = 200, **headers: str) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        found = request.path == robot_download.PATH
        request.send_response(status if found else 404)
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(content if found else b"")

    return answer


def trickle(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    for _ in range(200):
        request.wfile.write(b"#")
        request.wfile.flush()
        time.sleep(0.02)


def test_an_appliances_address_names_its_robot() -> None:
    with served(body(PACKAGED.read_bytes())) as address:
        assert robot_download.fetch(address + "/").parameter_hash == load_robot().parameter_hash
        env = gymnasium.make("raaspendulum-v1", robot=address)
        env.reset(seed=1)
        assert env.unwrapped._driver.plant.robot.parameter_hash == load_robot().parameter_hash


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (body(b"x: " + b"y" * MAX_FILE_BYTES), "longer than"),
        (body(b"schema: 9"), "expected is 1"),
        (body(b"<html>"), "expected is a mapping"),
        (body(b"no", 404), "no robot file comes from there"),
        (body(b"", 302, Location="http://127.0.0.1:1/"), "no robot file comes from there"),
        (trickle, "no robot file comes from there .*slow"),
    ],
    ids=["huge", "other schema", "a page", "absent", "redirect", "trickle"],
)
def test_who_sends_no_robot_file_is_refused_in_time(
    answer: Callable[[BaseHTTPRequestHandler], None], says: str
) -> None:
    start_s = time.monotonic()
    with served(answer) as address, pytest.raises(RobotFileError, match=says):
        robot_download.fetch(address, timeout_s=0.5)
    assert time.monotonic() - start_s < 3.0


def test_nobody_there_is_said() -> None:
    with pytest.raises(RobotFileError, match="is it an appliance's address"):
        robot_download.fetch("http://127.0.0.1:9", timeout_s=0.5)
