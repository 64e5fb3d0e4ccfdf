"""Hostile requests to a whole appliance: what no visitor's browser and nobody on the network may bring about."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
import requests

from appliance.webui.server import MAX_CONNECTIONS
from tests.appliance_process import Appliance

NAME = "[/red] <script>alert(1)</script> \x1b]0;title\x07"


def port(victim: Appliance) -> int:
    return int(victim.url.rsplit(":", 1)[1])


def said(victim: Appliance, request: bytes) -> bytes:
    """The answer to these very bytes; empty where the connection is closed instead."""
    with socket.create_connection(("127.0.0.1", port(victim)), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        try:
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass
        return answer


REFUSED = {
    "a_page_elsewhere_by_dns": (b"GET /", b"Host: evil.example", 421),
    "two_hosts": (b"GET /", b"Host: localhost\r\nHost: evil.example", 421),
    "no_host": (b"GET /", b"A: b", 421),
    "a_form_elsewhere": (b"POST /stop", b"Host: localhost\r\nOrigin: http://evil.example", 403),
    "a_form_on_another_port": (b"POST /stop", b"Host: localhost\r\nOrigin: http://localhost:1", 403),
    "a_form_in_a_sandbox": (b"POST /stop", b"Host: localhost\r\nOrigin: null", 403),
    "a_form_of_a_sibling": (b"POST /resume", b"Host: localhost\r\nSec-Fetch-Site: same-site", 403),
    "folders_above": (b"GET /static/x/..%2f..%2fapp.py", b"Host: localhost", 404),
    "folders_above_as_they_are": (b"GET /static/x/../../app.py", b"Host: localhost", 404),
    "a_job_outside": (b"GET /api/jobs/..%2f..%2f..%2fetc%2fpasswd", b"Host: localhost", 404),
    "a_file_outside": (b"GET /api/jobs/%2e%2e/report.json", b"Host: localhost", 404),
    "bytes_in_the_address": (b"GET /api/to%ffkens", b"Host: localhost", 400),
    "a_line_end_in_the_address": (b"GET /jobs/x%0d%0aSet-Cookie:%20a=b", b"Host: localhost", 404),
    "another_server's_address": (b"GET http://evil.example/", b"Host: localhost", 404),
    "a_giant_number": (b"GET /api/jobs?limit=" + b"0" * 19 + b"1" + b"9" * 60, b"Host: localhost", 400),
    "two_lengths": (b"POST /api/jobs", b"Host: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked", 413),
    "a_negative_length": (b"POST /api/jobs", b"Host: localhost\r\nContent-Length: -5", 400),
    "a_length_in_another_script": (b"POST /api/jobs", b"Host: localhost\r\nContent-Length: \xb2", 400),
    "an_endless_form": (
        b"POST /api/jobs",
        b"Host: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 99999999999",
        413,
    ),
    "an_unknown_method": (b"TRACE /api/jobs", b"Host: localhost", 405),
}


@pytest.mark.parametrize("attack", REFUSED)
def test_a_hostile_request_is_refused(victim: Appliance, attack: str) -> None:
    line, headers, status = REFUSED[attack]
    answer = said(victim, line + b" HTTP/1.1\r\nConnection: close\r\n" + headers + b"\r\n\r\n")
    assert answer.split(b" ")[1] == b"%d" % status, answer[:300]
    assert b"Traceback" not in answer
    assert b"\r\nSet-Cookie" not in answer


@pytest.mark.parametrize(
    "cookie", ["a/b=1", "a@b=1; raas_name=anna", "{}=[]", "=;;=", "\xff\xfe=\x01", "expires=1; path"]
)
def test_a_cookie_of_another_service_on_this_host_blocks_neither_page_nor_stop(victim: Appliance, cookie: str) -> None:
    headers: dict[str, str | bytes | None] = {"Cookie": cookie.encode("latin-1"), "Accept": "text/html"}
    assert requests.get(victim.url, headers=headers, timeout=10).status_code == 200
    assert requests.post(f"{victim.url}/api/robot/resume", headers=headers, timeout=10).status_code == 200


def test_a_name_of_a_job_is_one_printable_line_and_no_markup(victim: Appliance) -> None:
    answer = requests.post(
        f"{victim.url}/api/jobs", json={"git_url": "https://x.invalid/a", "name": NAME + "\r\nX: y"}, timeout=10
    )
    assert answer.json()["name"] == "[/red] <script>alert(1)</script> ]0;title X: y"
    victim.finished(answer.json()["id"])
    for address in ("/", "/jobs", answer.headers["Location"].removeprefix("/api")):
        page = requests.get(victim.url + address, headers={"Accept": "text/html"}, timeout=10)
        assert page.status_code == 200
        assert "<script>alert" not in page.text


def test_the_reason_of_a_stop_is_one_printable_line(victim: Appliance) -> None:
    try:
        stopped = requests.post(f"{victim.url}/api/robot/stop", json={"why": "\x1b[2J[/x]\n<b>"}, timeout=10)
        assert stopped.json()["stop_why"] == "[/x] <b>"
    finally:
        assert requests.post(f"{victim.url}/api/robot/resume", timeout=10).status_code == 200


@contextmanager
def crowd(victim: Appliance, count: int, begins: bytes) -> Iterator[None]:
    """So many connections that begin a request and never end it."""
    with ExitStack() as stack:
        for _ in range(count):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port(victim)), timeout=10))
            connection.sendall(begins)
        yield


@pytest.mark.parametrize(
    "begins",
    [
        b"",
        b"POST /api/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
        b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
    ids=["silent", "slow_bodies", "event_streams"],
)
def test_more_connections_than_there_are_places_keep_nobody_from_stopping(victim: Appliance, begins: bytes) -> None:
    with crowd(victim, 2 * MAX_CONNECTIONS + 100, begins):
        assert requests.post(f"{victim.url}/api/robot/stop", timeout=5).status_code == 200
        assert requests.post(f"{victim.url}/api/robot/resume", timeout=5).status_code == 200
