"""The index as a build container sees it: what it may ask, and what it never learns."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.layers import index_door, index_page, pip_settings
from appliance.layers.pip_settings import PipSettings
from appliance.layers.upstream import Unavailable, Upstream
from tests.layers.wheels import folder, wheel

SECRET = "user:hunter2"
PAGE = "https://index.example/simple/flask/"
HTML = b"""<!DOCTYPE html><html><body>
<a href="../../files/Flask-3.0-py3-none-any.whl#sha256=ab12" data-requires-python="&gt;=3.8" data-core-metadata="true">x</a>
<a href="/files/flask-2.0.tar.gz#sha256=cd">x</a>
<a href="flask-1.0-py2-none-any.whl" data-yanked="broken">x</a>
<a>nothing</a>
</body></html>"""


def test_only_wheels_of_a_page_are_taken_with_all_that_pip_needs() -> None:
    found = index_page.read(HTML, "text/html; charset=utf-8", PAGE)
    assert [(w.name, w.url, w.hashes, w.requires_python, w.yanked, w.metadata) for w in found] == [
        ("Flask-3.0-py3-none-any.whl", "https://index.example/files/Flask-3.0-py3-none-any.whl", {"sha256": "ab12"}, ">=3.8", False, True),
        ("flask-1.0-py2-none-any.whl", PAGE + "flask-1.0-py2-none-any.whl", {}, None, "broken", False),
    ]  # fmt: skip


def test_what_is_written_can_be_read_again() -> None:
    found = index_page.read(HTML, "text/html", PAGE)
    again = index_page.read(
        index_page.write("flask", list(enumerate(found))), index_page.JSON, "http://door/simple/flask/"
    )
    assert [(w.name, w.hashes, w.requires_python, w.yanked, w.metadata) for w in again] == [
        (w.name, w.hashes, w.requires_python, w.yanked, w.metadata) for w in found
    ]
    assert [w.url for w in again] == [f"http://door/file/{n}/{w.name}" for n, w in enumerate(found)]


@given(st.binary(max_size=300), st.sampled_from(["text/html", index_page.JSON]))
def test_any_page_is_either_read_or_refused(content: bytes, kind: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(index_page.read(content, kind, PAGE), list)


def test_pips_own_settings_are_read_with_its_precedence() -> None:
    listed = (
        "global.index-url='https://a.example/simple'\n:env:.index-url='https://b.example/simple'\n"
        "global.extra-index-url='https://c.example/s\\nhttps://d.example/s'\ninstall.find-links='/wheels'\n"
        "global.cert='/ca.pem'\nglobal.proxy='http://p:1'\nglobal.timeout='7'\nglobal.nonsense\n"
    )
    assert pip_settings.parse(listed) == PipSettings(
        ("https://b.example/simple", "https://c.example/s", "https://d.example/s"), ("/wheels",), "/ca.pem", "", "http://p:1", 7.0
    )  # fmt: skip
    assert pip_settings.parse("").pages == (pip_settings.PyPI.simple_url,)
    assert pip_settings.parse("global.no-index='true'\n").pages == ()
    assert SECRET not in repr(PipSettings((f"https://{SECRET}@a.example/simple",)))


@contextmanager
def web(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """A web server on loopback; yields host:port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def reply(handler: BaseHTTPRequestHandler, status: int, content: bytes = b"", **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(content)


def ask(door: Path, path: str, method: str = "GET") -> tuple[int, bytes]:
    """One request to a door's socket."""
    connection = http.client.HTTPConnection("door")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(door / index_door.SOCKET))
    connection.request(method, path)
    answer = connection.getresponse()
    return answer.status, answer.read()


@contextmanager
def door(path: Path, settings: PipSettings, max_bytes: int = 1 << 20) -> Iterator[Path]:
    with index_door.opened(path / "door", os.getuid(), Upstream(settings), max_bytes):
        yield path / "door"


def test_a_folder_of_wheels_is_an_index(tmp_path: Path) -> None:
    name, content = wheel("hello")
    links = folder(tmp_path / "links", (name, content), wheel("other"), ("hello-2.tar.gz", b""))
    with door(tmp_path, PipSettings((), (str(links),))) as at:
        status, page = ask(at, "/simple/hello/")
        (file,) = json.loads(page)["files"]
        assert (status, file["filename"]) == (200, name)
        assert ask(at, file["url"]) == (200, content)


@pytest.mark.parametrize(
    "path",
    ["/", "/simple/", "/simple/../etc/passwd/", "/simple/a%2f../", "/file/0/x.whl", "/file/99999999/x.whl", "/file/0/../../x.whl",
     "http://192.168.0.1/", "/simple/hello/?x=1", "/file/0/hello-2.tar.gz"],
)  # fmt: skip
def test_anything_else_is_not_there(tmp_path: Path, path: str) -> None:
    with door(tmp_path, PipSettings((), (str(folder(tmp_path / "links")),))) as at:
        assert ask(at, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "CONNECT", "DELETE"])
def test_nothing_can_be_sent_anywhere(tmp_path: Path, method: str) -> None:
    with door(tmp_path, PipSettings(())) as at:
        assert ask(at, "/simple/hello/", method)[0] == 501


def test_a_password_reaches_the_index_and_nobody_else(tmp_path: Path) -> None:
    seen: list[str | None] = []
    name, content = wheel("hello")

    def answer(handler: BaseHTTPRequestHandler) -> None:
        seen.append(handler.headers.get("Authorization"))
        is_page = handler.path.endswith("/")
        reply(handler, 200, f'<a href="/f/{name}">x</a>'.encode() if is_page else content, Content_Type="text/html")

    with web(answer) as host, door(tmp_path, PipSettings((f"http://{SECRET}@{host}/simple",))) as at:
        status, page = ask(at, "/simple/hello/")
        assert status == 200
        assert b"hunter2" not in page
        assert host.encode() not in page
        assert ask(at, json.loads(page)["files"][0]["url"]) == (200, content)
    assert seen[0] is not None
    assert seen[0].startswith("Basic ")


@pytest.mark.parametrize("target", ["http://localhost.localdomain:1/x-1-py3-none-any.whl", "http://127.9.9.9:22/x-1-py3-none-any.whl",
                                    "file:///etc/x-1-py3-none-any.whl", "ftp://127.0.0.1/x-1-py3-none-any.whl"])  # fmt: skip
def test_neither_links_nor_redirects_lead_into_this_network(tmp_path: Path, target: str) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        if "/redirect/" in handler.path:
            reply(handler, 302, Location=target)
        else:
            reply(handler, 200, f'<a href="{target}">x</a>'.encode(), Content_Type="text/html")

    with web(answer) as host:
        upstream = Upstream(PipSettings((f"http://{host}/simple",)))
        for wheel_ in upstream.wheels("x"):
            with pytest.raises(Unavailable), upstream.open(wheel_.url):
                pass
        with pytest.raises(Unavailable) as refused, upstream.open(f"http://{host}/redirect/"):
            pass
        assert "127.9" not in str(refused.value)
        upstream.close()


def test_an_index_that_is_away_says_so_without_its_address(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    upstream = Upstream(PipSettings((f"http://{SECRET}@127.0.0.1:{port}/simple",)))
    with pytest.raises(Unavailable) as failed:
        upstream.wheels("hello")
    assert str(failed.value) == "The package index can't be reached (no connection)."


def test_more_than_the_budget_is_cut_off(tmp_path: Path) -> None:
    name, content = wheel("big", files={"big.bin": os.urandom(300_000)})
    links = folder(tmp_path / "links", (name, content))
    with index_door.opened(tmp_path / "door", os.getuid(), Upstream(PipSettings((), (str(links),))), 100_000) as at:
        url = json.loads(ask(tmp_path / "door", "/simple/big/")[1])["files"][0]["url"]
        assert len(ask(tmp_path / "door", url)[1]) <= 100_000
        assert at.left_bytes < 0
        assert "larger" in at.trouble
