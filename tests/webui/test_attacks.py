"""Each address against everybody who may not use it. The list is the application's own, so a new address joins by itself."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import msgspec
import pytest

from appliance.webui import bodies, openapi
from appliance.webui.doorkeeper import STOPPING, SUBMITTING, Role, needed
from appliance.webui.gatekeeper import SECURITY_HEADERS
from tests.webui.besieged import Besieged, besieged
from tests.webui.http_calls import call

CREDENTIALS = (
    "nothing", "basic_credentials", "garbage", "expired_token", "removed_token", "foreign_token", "cookie_after_logout",
    "cookie_before_a_new_password", "cookie_of_a_token_before_it", "cookie_of_another_appliance", "expired_cookie",
    "forged_cookie", "token_as_cookie",
)  # fmt: skip
#: Refused before its body is looked at: this appliance belongs to no fleet.
FLEETLESS = {"/api/fleet/jobs"}
MALFORMED = (b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b'{"a": 1e999}', b"[" * 5000)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Besieged]:
    with besieged(tmp_path_factory.mktemp("siege")) as house:
        yield house


def test_every_credential_is_tried(house: Besieged) -> None:
    assert set(CREDENTIALS) == house.insufficient.keys()
    assert len(house.writes) > 25


def test_the_owner_and_a_submitter_are_let_in(house: Besieged) -> None:
    """Else the refusals below would prove nothing."""
    assert call(house.web.port, "GET", "/api/tokens", headers=house.owner).status == 200
    for who in (house.owner, {**house.owners_cookie, **house.own}):
        assert call(house.web.port, "POST", "/api/queue/pause", headers=who).status == 200
        assert call(house.web.port, "POST", "/api/queue/resume", headers=who).status == 200
    assert call(house.web.port, "POST", "/api/jobs", b"{", house.submitter).status == 400


@pytest.mark.parametrize("credential", CREDENTIALS)
def test_who_may_not_is_refused_and_changes_nothing(house: Besieged, credential: str) -> None:
    shown, before = {**house.insufficient[credential], **house.own}, house.state()
    for method, rule in house.routes:
        path = house.path(rule)
        if needed(method, path) > Role.VISITOR:
            answer = call(house.web.port, method, path, b"{}", shown)
            assert (answer.status, answer.json["error"]) == (401, "login_needed"), (method, path)
            assert "Log in" in answer.json["message"]
    assert house.state() == before


def test_a_submitters_token_opens_nothing_of_the_owners(house: Besieged) -> None:
    before = house.state()
    for method, rule in house.routes:
        path = house.path(rule)
        if needed(method, path) is Role.OWNER:
            assert call(house.web.port, method, path, b"{}", house.submitter).status == 401, (method, path)
    assert house.state() == before


@pytest.mark.parametrize(
    ("headers", "status", "error"),
    [
        ({"Origin": "http://evil.example"}, 403, "foreign_origin"),
        ({"Origin": "null"}, 403, "foreign_origin"),
        ({"Origin": "http://localhost:1"}, 403, "foreign_origin"),
        ({"Sec-Fetch-Site": "cross-site"}, 403, "foreign_origin"),
        ({"Sec-Fetch-Site": "same-site"}, 403, "foreign_origin"),
        ({"Host": "evil.example"}, 421, "unknown_host"),
        ({"Host": "localhost.evil.example"}, 421, "unknown_host"),
        ({"Host": ""}, 421, "unknown_host"),
    ],
)
@pytest.mark.parametrize("who", ["cookie", "token"])
def test_other_sites_and_names_reach_nothing_with_the_owners_rights(
    house: Besieged, headers: dict[str, str], status: int, error: str, who: str
) -> None:
    before = house.state()
    for method, path in house.writes:
        rights = house.owners_cookie if who == "cookie" else house.owner
        answer = call(house.web.port, method, path, b"{}", {**rights, **headers})
        assert (answer.status, answer.json["error"]) == (status, error), (method, path)
    assert house.state() == before


def test_a_cookie_alone_changes_nothing(house: Besieged) -> None:
    """Browsers say on each write which page it comes from; what doesn't say it may be made by another site."""
    before = house.state()
    for method, path in house.writes:
        if path not in STOPPING:
            answer = call(house.web.port, method, path, b"{}", house.owners_cookie)
            assert (answer.status, answer.json["error"]) == (403, "no_origin"), (method, path)
    assert house.state() == before


def small_bodied(house: Besieged) -> list[tuple[str, str]]:
    return [(method, path) for method, path in house.writes if path not in STOPPING and path not in SUBMITTING]


def test_more_than_a_small_body_is_refused(house: Besieged) -> None:
    before = house.state()
    for method, path in small_bodied(house):
        answer = call(house.web.port, method, path, b" " * (bodies.MAX_BYTES + 1), house.owner)
        assert (answer.status, answer.json["error"]) == (413, "too_large"), (method, path)
    for path in SUBMITTING:
        headers = {**house.owner, "Content-Type": "application/json"} if path.startswith("/api") else house.owner
        answer = call(house.web.port, "POST", path, b" " * (bodies.MAX_BYTES + 1), headers)
        assert answer.status in ((415, 409) if "fleet" in path else (413,)), path
    assert house.state() == before


def test_a_body_that_hides_its_length_is_refused(house: Besieged) -> None:
    before = house.state()
    with ExitStack() as stack:
        for method, path in small_bodied(house):
            connection = opened(stack, house, method, path, "Transfer-Encoding: chunked", b"2\r\n{}\r\n0\r\n\r\n")
            assert b" 413 " in connection.recv(65536).split(b"\r\n")[0], (method, path)
    assert house.state() == before


def test_a_body_of_another_type_is_refused(house: Besieged) -> None:
    before = house.state()
    for kind in ("text/plain", "application/xml", "multipart/mixed"):
        for method, path in house.writes:
            if path not in STOPPING:
                answer = call(house.web.port, method, path, b"{}", {**house.owner, "Content-Type": kind})
                assert (answer.status, answer.json["error"]) == (415, "unsupported_type"), (method, path)
    assert house.state() == before


def test_a_body_that_is_no_json_of_the_right_shape_is_refused(house: Besieged) -> None:
    before = house.state()
    for each in openapi.CONTRACT:
        path = house.path(each.rule)
        if each.body is None or path in STOPPING or optional(each.body):
            continue
        for body in MALFORMED:
            answer = call(house.web.port, each.method, path, body, {**house.owner, "Content-Type": "application/json"})
            assert answer.status == (409 if path in FLEETLESS else 400), (path, body[:20], answer.body)
    assert house.state() == before


def optional(shape: type) -> bool:
    """Whether an empty object is a body of this shape."""
    return not any(field.required for field in msgspec.structs.fields(shape))


def test_garbage_in_a_pages_form_is_explained_and_never_the_servers_fault(house: Besieged) -> None:
    form = {**house.owner, "Content-Type": "application/x-www-form-urlencoded"}
    for method, path in house.writes:
        if not path.startswith("/api/") and path not in STOPPING and not path.startswith("/owner/services/"):
            for body in (b"\xff\xfe&=&&%zz=%00", b"=" * 1000, b"&" * 1000):
                assert call(house.web.port, method, path, body, form).status < 500, (method, path)


def test_a_body_that_does_not_come_is_given_up_and_a_stop_does_not_wait_for_it(house: Besieged) -> None:
    before, asked = house.state()[:2], len(house.stage.guard.asked)
    with_body = {(each.method, house.path(each.rule)) for each in openapi.CONTRACT if each.body is not None}
    with ExitStack() as stack:
        slow = {path: opened(stack, house, method, path, "Content-Length: 100", b"{") for method, path in with_body}
        started_s = time.monotonic()
        assert b" 200 " in slow.pop("/api/robot/stop").recv(65536).split(b"\r\n")[0] + b" "
        assert time.monotonic() - started_s < bodies.PATIENCE_S
        for path, connection in slow.items():
            line = connection.recv(65536).split(b"\r\n")[0]
            assert (b" 409 " if path in FLEETLESS else b" 408 ") in line, (path, line)
    assert (house.state()[:2], len(house.stage.guard.asked)) == (before, asked + 1)


def opened(stack: ExitStack, house: Besieged, method: str, path: str, length: str, body: bytes) -> socket.socket:
    """A connection on which the owner has sent this much of a body."""
    connection = stack.enter_context(socket.create_connection(("127.0.0.1", house.web.port), timeout=30))
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{length}\r\n"
    connection.sendall(f"{head}Authorization: {house.owner['Authorization']}\r\n\r\n".encode() + body)
    return connection


def test_no_way_of_writing_an_address_gets_around_its_guard(house: Besieged) -> None:
    private = [
        house.path(rule) for method, rule in house.routes if method == "GET" and needed(method, rule) > Role.VISITOR
    ]
    assert len(private) > 10
    for path in private:
        for written in (f"/{path}", f"/.{path}", f"{path}/", f"{path}//", path.upper(), f"/x/..{path}", f"{path};a", f"{path}%00",
                        path.replace("/", "//"), path.replace("/", "%2f"), path.replace("o", "%6f"), f"{path}#a", f"{path}?x"):  # fmt: skip
            assert call(house.web.port, "GET", written).status in (400, 401, 404), written
        assert call(house.web.port, "HEAD", path).status == 401, path


def test_every_answer_carries_the_security_headers(house: Besieged) -> None:
    for method, rule in house.routes:
        for headers in ({}, {"Accept": "text/html"}, {**house.owner, "Accept": "text/html"}):
            if rule in STOPPING or (method != "GET" and headers.get("Authorization")):
                continue
            connection = http.client.HTTPConnection("127.0.0.1", house.web.port, timeout=30)
            connection.request(method, house.path(rule), headers=headers)
            answer = connection.getresponse()
            assert not {(name, text) for name, text in SECURITY_HEADERS} - set(answer.getheaders()), (method, rule)
            assert answer.getheader("Server") is None
            connection.close()


def test_the_policy_allows_nothing_inline_and_nobody_else() -> None:
    policy = dict(SECURITY_HEADERS)["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    for word in ("unsafe", "http", "*", "blob:"):
        assert word not in policy
