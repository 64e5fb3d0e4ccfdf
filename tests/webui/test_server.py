"""Connections that are slow, silent or endless, and how the process ends."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import struct
import time

import pytest

from appliance.webui import server
from tests.webui.http_calls import call, post_json
from tests.webui.stage import Stage, WebProcess


def test_clients_that_never_finish_their_request_hold_up_nobody(stage: Stage, web: WebProcess) -> None:
    slow = [socket.create_connection(("127.0.0.1", web.port), timeout=5) for _ in range(50)]
    try:
        for connection in slow:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        started_s = time.monotonic()
        for _ in range(20):
            assert post_json(web.port, "/api/robot/stop", {}).status == 200
        assert (time.monotonic() - started_s) / 20 < 0.1
    finally:
        for connection in slow:
            connection.close()


def test_a_request_whose_headers_never_end_is_cut_off(web: WebProcess) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=server.HEADERS_S + 10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        started_s = time.monotonic()
        assert b" 400 " in connection.recv(65536)
        assert time.monotonic() - started_s < server.HEADERS_S + 5


def test_a_refused_upload_is_not_read_to_its_end(web: WebProcess) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
        head = b"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 99999999999\r\n\r\n"
        connection.sendall(head)
        started_s, received = time.monotonic(), b""
        while chunk := connection.recv(65536):
            received += chunk
    assert b" 413 " in received
    assert time.monotonic() - started_s < server.DISCARD_S / 2


def test_headers_without_end_and_lines_without_end_are_refused(web: WebProcess) -> None:
    for request in (
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"b" * 200_000 + b"\r\n\r\n",
        b"\x00\xff\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
            try:
                connection.sendall(request)
                assert connection.recv(65536).split(b" ")[1][:1] == b"4"
            except (ConnectionResetError, BrokenPipeError):
                pass  # refused before everything was sent
    assert call(web.port, "GET", "/api/robot").status == 200


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_headers_that_lie_or_stumble_are_answered_with_words_and_leave_no_trace(web: WebProcess, method: str) -> None:
    lengths = [b"-1", b"abc", b"", b"+5", b"1_0", b"0x10", b"1.5", b"5, 5", b"%s%d", b"\xb2", b"9" * 19, b"9" * 5000]
    unreadable = [b"Content-Length: " + each for each in lengths]
    unreadable += [
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Transfer-Encoding: gzip",
        b"Transfer-Encoding: xchunked",
    ]
    unreadable += [
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip",
        b" folded: from nothing",
        b"Nonsense",
        b": x",
    ]
    unreadable.append(b"\r\n".join(b"X-Many: %d" % number for number in range(200)))
    for header in unreadable:
        answer = _exchange(
            web.port, f"{method} /api/robot HTTP/1.1\r\n".encode() + header + b"\r\nHost: localhost\r\n\r\n"
        )
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 "), (header, answer)
        assert json.loads(body)["error"] == "bad_request", header
    assert web.said == ""


@pytest.mark.parametrize(
    "header",
    [b"Content-Type: application/json\xff", b"Accept: caf\xe9", b"If-None-Match: \xc3", b"Cookie: \xff\xfe=\x01"],
)
def test_a_header_that_is_not_utf8_stops_nobody(web: WebProcess, header: bytes) -> None:
    for line, statuses in ((b"GET /api/robot", {b"200"}), (b"POST /api/jobs", {b"400", b"415", b"422"})):
        asked = line + b" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n" + header
        answer = _exchange(web.port, asked + b"\r\n\r\n{}")
        assert answer.split(b" ")[1] in statuses, answer
    assert web.said == ""


def test_a_connection_that_breaks_within_the_headers_leaves_no_trace(web: WebProcess) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", web.port), timeout=10) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: loc")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset, no goodbye
    assert call(web.port, "GET", "/api/robot").status == 200
    assert web.said == ""


def _exchange(port: int, request: bytes) -> bytes:
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        while piece := connection.recv(65536):
            answer += piece
    return answer


def test_sigterm_ends_it_at_once_with_listeners_connected(stage: Stage) -> None:
    with stage.serve() as web, socket.create_connection(("127.0.0.1", web.port)) as listener:
        listener.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b"text/event-stream" in listener.recv(4096)
        web.process.send_signal(signal.SIGTERM)
        assert web.process.wait(5) == 0
