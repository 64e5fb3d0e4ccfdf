"""Who is served: names, origins, addresses, headers."""

from __future__ import annotations

import socket

import pytest

from appliance.webui.gatekeeper import check_host, is_loopback
from appliance.webui.web import Refusal
from tests.webui.conftest import set_stage
from tests.webui.http_calls import call
from tests.webui.stage import Stage, WebProcess

Shared = tuple[Stage, WebProcess]


def raw(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:9", "LOCALHOST:8080", "[::1]:8080", "pendulum.local", "Pendulum.local.:80"]
)
def test_the_appliance_answers_to_its_names(shared: Shared, host: str) -> None:
    assert call(shared[1].port, "GET", "/api/robot", headers={"Host": host}).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", "", "[::1", "a@localhost@evil", "10.0.0.7"]
)
@pytest.mark.parametrize("path", ["/", "/api/robot", "/static/x/style.css", "/nowhere"])
def test_other_names_are_refused_everywhere(shared: Shared, host: str, path: str) -> None:
    answer = call(shared[1].port, "GET", path, headers={"Host": host})
    assert answer.status == 421
    assert "web.hosts" in answer.json["message"]


def test_a_request_without_a_name_is_refused(shared: Shared) -> None:
    assert b" 421 " in raw(shared[1].port, b"GET /api/robot HTTP/1.0\r\n\r\n")


@pytest.mark.parametrize("headers", [
    {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:1"}, {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
])  # fmt: skip
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/robot/resume"),
        ("POST", "/stop"),
        ("POST", "/api/jobs"),
        ("POST", "/submit"),
        ("DELETE", "/api/jobs/x"),
    ],
)
def test_another_site_cannot_write_through_a_visitors_browser(
    shared: Shared, headers: dict[str, str], method: str, path: str
) -> None:
    stage, web = shared
    before = (stage.store.count(), len(stage.guard.asked))
    answer = call(web.port, method, path, b"{}", {"Host": f"localhost:{web.port}", **headers})
    assert (answer.status, answer.json["error"]) == (403, "foreign_origin")
    assert (stage.store.count(), len(stage.guard.asked)) == before


def test_the_pages_own_origin_and_programs_may_write(shared: Shared) -> None:
    host = f"localhost:{shared[1].port}"
    for headers in ({"Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}, {}):
        assert call(shared[1].port, "POST", "/api/robot/resume", b"{}", {"Host": host, **headers}).status == 200


@pytest.mark.parametrize("path", ["/", "/api/robot", "/nowhere", "/static/x/style.css", "/healthz"])
def test_every_answer_forbids_inline_scripts_and_framing(shared: Shared, path: str) -> None:
    headers = call(shared[1].port, "GET", path).headers
    assert "script-src 'self';" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff")


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.5", "::", "10.0.0.1", "example.org", "", "127.0.0.1; rm"])
def test_addresses_that_others_can_reach_are_known(address: str) -> None:
    assert not is_loopback(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_addresses_are_known(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize("host", ["192.168.1.5:8080", "[fe80::1]:80", "10.0.0.1"])
def test_a_page_for_other_machines_answers_to_any_ip_address(host: str) -> None:
    check_host(host, frozenset(), literals=True)
    with pytest.raises(Refusal):
        check_host(host, frozenset(), literals=False)


@pytest.mark.parametrize("host", ["evil.example", "192.168.1.5.nip.io", "", "1.2.3", "0x7f000001", "[::1"])
def test_and_to_no_name_that_it_does_not_have(host: str) -> None:
    with pytest.raises(Refusal):
        check_host(host, frozenset(), literals=True)


def test_a_taken_port_is_said_with_an_exit_code(stage: Stage, web: WebProcess) -> None:
    with pytest.raises(RuntimeError, match=f"ended with 3: raas-webui: Port {web.port} on 127.0.0.1 is taken"):
        stage.serve("--port", str(web.port))


def test_a_broken_configuration_is_said_with_an_exit_code() -> None:
    with set_stage("webb: {}\n") as stage, pytest.raises(RuntimeError, match=r"ended with 2: raas-webui: .*webb"):
        stage.serve()


def test_unknown_addresses_and_methods_are_explained(shared: Shared) -> None:
    port = shared[1].port
    assert call(port, "GET", "/nowhere").json["error"] == "not_found"
    assert call(port, "PUT", "/api/jobs", b"").json["error"] == "method_not_allowed"
    page = call(port, "GET", "/nowhere", headers={"Accept": "text/html"})
    assert (page.status, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
