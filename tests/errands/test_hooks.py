"""Webhooks: every end of a job is told once, signed, tried again, and never where it may not go."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import sqlite3
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from appliance import config as configuration
from appliance.config import HooksSection
from appliance.errands import hooks
from appliance.errands.hooks import HookBook
from appliance.errands.postman import Postman
from appliance.errors import BadSource, Conflict, NotFound
from appliance.jobs import State
from appliance.store import NewJob, Store
from tests.webui.conftest import set_stage
from tests.webui.http_calls import call, post_json

LOOSE = "hooks: {allow_private: true, allow_http: true}\n"


@dataclass
class Receiver:
    """A server that keeps what it was sent, and answers as it is told."""

    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    status: int = 204
    more: dict[str, str] = field(default_factory=dict)
    server: ThreadingHTTPServer = field(init=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/hook?a=b"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kept.got.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(kept.status)
            for name, value in kept.more.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"\x1b[31mno\x00" if kept.status > 204 else b"")

        def log_message(self, *args: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.server = server
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield kept
        server.shutdown()


@dataclass
class Office:
    store: Store
    book: HookBook
    postman: Postman

    def end_a_job(self) -> str:
        job = self.store.add(NewJob("git", "https://example.org/a.git", "anna"), time.time())
        self.store.request_cancel(job.id, time.time())
        return job.id


def office(folder: Path, text: str = LOOSE) -> Office:
    store, book = Store(folder / "raas.db"), HookBook(folder / "raas.db")
    return Office(store, book, Postman(configuration.parse(text, "test"), store, book, lambda: False))


def test_the_end_of_a_job_is_told_once_and_signed(tmp_path: Path, receiver: Receiver) -> None:
    here = office(tmp_path)
    hook = here.book.add(receiver.url, "", time.time())
    job_id = here.end_a_job()
    assert here.postman.turn()
    assert not here.postman.turn()
    ((headers, body),) = receiver.got
    said = json.loads(body)
    assert (said["event"], said["job"]["id"], said["job"]["state"]) == ("job.ended", job_id, "cancelled")
    signed = headers["X-Raas-Timestamp"].encode() + b"." + body
    assert headers["X-Raas-Signature"] == "sha256=" + hmac.new(hook.secret.encode(), signed, hashlib.sha256).hexdigest()
    (delivery,) = here.book.deliveries(5)
    assert (delivery.is_delivered, delivery.said, delivery.tries) == (True, "Taken (204).", 1)


def test_only_ends_are_told_and_each_hook_hears_of_them(tmp_path: Path) -> None:
    here = office(tmp_path)
    for number in range(2):
        here.book.add(f"https://example.org/{number}", "", time.time())
    job = here.store.add(NewJob("git", "https://example.org/a.git", "anna"), time.time())
    for state in (State.PREPARING, State.WAITING_FOR_ROBOT, State.RUNNING, State.COLLECTING):
        here.store.move(job.id, state, time.time())
    assert here.book.deliveries(9) == []
    here.store.move(job.id, State.SUCCEEDED, time.time(), ended_at=time.time())
    here.store.pin(job.id, True, time.time())
    assert len(here.book.deliveries(9)) == 2


def test_a_refused_delivery_comes_again_with_the_same_id(tmp_path: Path, receiver: Receiver) -> None:
    here = office(tmp_path)
    here.book.add(receiver.url, "", time.time())
    here.end_a_job()
    receiver.status = 503
    here.postman.turn()
    (delivery,) = here.book.deliveries(5)
    assert delivery.next_at is not None
    assert delivery.next_at - time.time() == pytest.approx(10, abs=5)
    assert delivery.said.startswith("It answered 503.")
    assert "\x1b" not in delivery.said
    here.book.record(delivery, 503, "", time.time() - 3600)  # as if an hour had passed
    receiver.status = 200
    here.postman.turn()
    assert len({headers["X-Raas-Delivery"] for headers, _ in receiver.got}) == 1
    assert here.book.deliveries(5)[0].is_delivered


@given(some.integers(1, 20), some.sampled_from([None, 302, 404, 500, 503]))
def test_tries_end_after_hours(tries: int, status: int | None) -> None:
    again = hooks.next_try(tries, status, 0.0)
    assert (again is None) == (tries > len(hooks.PAUSES_S))
    assert hooks.next_try(tries, 204, 0.0) is None
    assert hooks.next_try(tries, 410, 0.0) is None


def test_redirects_and_the_appliances_own_network_are_not_followed(tmp_path: Path, receiver: Receiver) -> None:
    here = office(tmp_path)
    hook = here.book.add(receiver.url, "", time.time())
    receiver.status, receiver.more = 302, {"Location": "http://127.0.0.1:9/"}
    here.book.test(hook.id, time.time())
    here.postman.turn()
    assert "redirects (302), which is not followed" in here.book.deliveries(1)[0].said
    strict = office(tmp_path, "hooks: {allow_http: true}\n")
    strict.book.test(hook.id, time.time())
    strict.postman.turn()
    assert "private or belongs to this network" in strict.book.deliveries(1)[0].said
    assert len(receiver.got) == 1


def test_a_server_that_is_away_is_told_as_that(tmp_path: Path) -> None:
    here = office(tmp_path)
    hook = here.book.add("http://127.0.0.1:9/", "", time.time())
    here.book.test(hook.id, time.time())
    here.postman.turn()
    (delivery,) = here.book.deliveries(1)
    assert delivery.status is None
    assert "Nothing answers at 127.0.0.1, port 9" in delivery.said


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_certificates_are_checked(tmp_path: Path, receiver: Receiver) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    command += [
        "-keyout",
        str(key),
        "-out",
        str(certificate),
        "-subj",
        "/CN=test",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    subprocess.run(command, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    receiver.server.socket = tls.wrap_socket(receiver.server.socket, server_side=True)
    for ca_file, said in (("", "certificate"), (str(certificate), "Taken (204).")):
        here = office(tmp_path, f"hooks: {{allow_private: true}}\nfetch: {{ca_file: '{ca_file}'}}\n")
        hook = here.book.add(receiver.url.replace("http:", "https:"), "", time.time())
        here.book.test(hook.id, time.time())
        here.postman.turn()
        assert said in here.book.deliveries(1)[0].said


def test_a_job_that_is_no_legal_row_holds_up_no_other_delivery(tmp_path: Path, receiver: Receiver) -> None:
    here = office(tmp_path)
    hook = here.book.add(receiver.url, "", time.time())
    job_id = here.end_a_job()
    with sqlite3.connect(tmp_path / "raas.db") as other:  # as another process might
        other.execute("UPDATE job SET reason = 'odd' WHERE id = ?", (job_id,))
    assert here.postman.turn()
    here.book.test(hook.id, time.time())
    assert here.postman.turn()
    assert [json.loads(body)["event"] for _, body in receiver.got] == ["test"]


@pytest.mark.parametrize(
    "url",
    ["", "ftp://example.org/", "http://example.org/", "https://", "https://a:b@example.org/", "https://example.org/#x",
     "https://exa mple.org/", "https://example.org:0/", "https://example.org:99999/", "javascript:alert(1)", "https://-/"],
)  # fmt: skip
def test_odd_addresses_are_refused(url: str) -> None:
    with pytest.raises(BadSource):
        hooks.target(url, HooksSection())


def test_there_are_not_too_many_and_a_removed_one_takes_its_deliveries_along(tmp_path: Path) -> None:
    here = office(tmp_path)
    made = [here.book.add(f"https://example.org/{n}", "", float(n)) for n in range(hooks.MOST_HOOKS)]
    with pytest.raises(Conflict):
        here.book.add("https://example.org/more", "", 99.0)
    with pytest.raises(BadSource):
        here.book.add("https://example.org/more", "short", 99.0)
    here.book.test(made[0].id, time.time())
    here.book.remove(made[0].id)
    assert here.book.deliveries(5) == []
    with pytest.raises(NotFound):
        here.book.remove(made[0].id)


def test_the_secret_is_shown_once_and_the_deliveries_stand_on_the_page(receiver: Receiver) -> None:
    with set_stage(LOOSE) as stage, stage.serve() as web:
        made = post_json(web.port, "/api/owner/hooks", {"url": receiver.url})
        assert made.status == 201
        assert len(made.json["secret"]) == 64
        path = f"/api/owner/hooks/{made.json['id']}"
        assert call(web.port, "POST", f"{path}/test").status == 202
        config = configuration.load(stage.paths.config)
        store, book = Store(stage.paths.database), HookBook(stage.paths.database)
        assert Postman(config, store, book, lambda: False).turn()
        page = call(web.port, "GET", "/owner/hooks").body.decode()
        assert "Taken (204)." in page
        assert made.json["secret"] not in page + call(web.port, "GET", "/api/owner/hooks").body.decode() + web.said
        assert json.loads(receiver.got[0][1])["job"] is None
        assert call(web.port, "DELETE", path).json["hooks"] == []
        assert call(web.port, "DELETE", path).status == 404
        assert post_json(web.port, "/api/owner/hooks", {"url": "ftp://x/"}).status == 400
        store.close()
        book.close()
