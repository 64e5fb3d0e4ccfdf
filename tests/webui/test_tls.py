"""The page with the owner's certificate: who reaches it, what is kept secret, and what is said of files that are no good."""

from __future__ import annotations

import dataclasses
import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from appliance import certificate
from appliance.care import machine_checks
from appliance.care.finding import Verdict
from appliance.care.snapshot import Network
from appliance.client import Client, Unreachable
from appliance.config import WebSection
from appliance.errors import ConfigError
from appliance.identity.ownership import Ownership
from tests.certificates import Authority, Files
from tests.webui.conftest import set_stage

DAY_S = 86400.0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def files(authority: Authority) -> Files:
    return authority.issue("page")


def section(files: Files) -> WebSection:
    return WebSection(tls_cert=str(files.cert), tls_key=str(files.key))


def test_the_page_is_reached_by_https_and_what_is_secret_by_nothing_else(authority: Authority, files: Files) -> None:
    with set_stage(f"robot: {{link: pigpiod}}\nweb: {{{files.yaml}, hsts_s: 60}}\n") as stage:
        ownership = Ownership(stage.paths.identity)
        ownership.claim(ownership.setup_code(), "correct horse battery")
        with stage.serve() as web:
            assert web.url.startswith("https://")
            assert Client(web.url, ca_file=str(authority.file)).robot().name == "pendulum"
            with pytest.raises(Unreachable, match=r"certificate verify failed.*--ca"):
                Client(web.url).robot()
            with pytest.raises(Unreachable, match="--ca can't be used"):
                Client(web.url, ca_file="/nowhere").robot()
            session = requests.Session()
            session.verify, session.trust_env = str(authority.file), False
            login = session.post(
                f"{web.url}/login",
                {"password": "correct horse battery"},
                headers={"Origin": web.url},
                allow_redirects=False,
            )
            assert login.status_code == 303
            assert "; Secure" in login.headers["Set-Cookie"]
            assert login.headers["Strict-Transport-Security"] == "max-age=60"
            plain = {"Origin": web.url.replace("https", "http")}
            assert session.post(f"{web.url}/api/robot/resume", headers=plain).status_code == 403
            assert session.post(f"{web.url}/api/robot/resume", headers={"Origin": web.url}).status_code == 200
            stage.running("watched")
            with session.get(f"{web.url}/api/events", stream=True, timeout=20) as stream:
                heard = [line for line, _ in zip(stream.iter_lines(), range(60), strict=False)]
            assert heard.count(b"event: robot") > 5


def test_clients_that_never_shake_hands_or_speak_no_tls_hold_up_nobody(authority: Authority, files: Files) -> None:
    with set_stage(f"web: {{{files.yaml}}}\n") as stage, stage.serve() as web, ExitStack() as stack:
        for _ in range(30):
            stack.enter_context(socket.create_connection(("127.0.0.1", web.port)))
        speaks_http = stack.enter_context(socket.create_connection(("127.0.0.1", web.port), timeout=10))
        speaks_http.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        try:
            assert b"200" not in speaks_http.recv(1000)
        except ConnectionResetError:
            pass
        answer = requests.get(f"{web.url}/api/robot", verify=str(authority.file), timeout=10)
        assert answer.status_code == 200
        assert "Strict-Transport-Security" not in answer.headers, "off unless wished for"


def test_a_certificate_that_has_ended_is_told_and_still_served_so_that_the_robot_can_be_stopped(
    authority: Authority,
) -> None:
    ended = authority.issue("ended", -30.0, -2.0)
    with set_stage(f"web: {{{ended.yaml}}}\n") as stage, stage.serve() as web:
        assert "The certificate ended on" in web.said
        assert requests.post(f"{web.url}/api/robot/stop", verify=False, timeout=10).status_code == 200


pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS")


def test_files_that_are_no_good_are_explained(authority: Authority, files: Files, tmp_path: Path) -> None:
    other, locked = authority.issue("other"), authority.issue("locked", passphrase=b"secret")
    text = tmp_path / "text"
    text.write_text("no certificate")
    wrong = {
        "web.tls_key is missing": WebSection(tls_cert=str(files.cert)),
        "web.tls_cert is missing": WebSection(tls_key=str(files.key)),
        "web.tls_cert: .* can't be read .*No such file": section(Files(tmp_path / "absent", files.key)),
        "web.tls_key: .* can't be read .*No such file": section(Files(files.cert, tmp_path / "absent")),
        "holds no certificate in PEM form": section(Files(text, files.key)),
        "is not the key of the certificate": section(Files(files.cert, other.key)),
        "without a passphrase": section(locked),
        "web.tls_key: .* no private key": section(Files(files.cert, text)),
    }
    for said, web in wrong.items():
        with pytest.raises(ConfigError, match=said):
            certificate.serving(web)
    no_good = f"web: {{tls_cert: {text}, tls_key: {files.key}}}\n"
    with set_stage(no_good) as stage, pytest.raises(RuntimeError, match=r"ended with 2: .*holds no certificate"):
        stage.serve()


def test_without_files_it_is_plain_http() -> None:
    assert certificate.serving(WebSection()) is None
    assert WebSection().scheme == "http"


def test_the_doctor_tells_when_a_certificate_ends(files: Files) -> None:
    now_s = time.time()
    found = certificate.read(str(files.cert))
    assert found.names == ("localhost", "127.0.0.1")
    seen = Network("127.0.0.1", 1, answers=200, scheme="https", certificate=(found.names, found.ends_s))
    for at_s, verdict in (
        (now_s, Verdict.OK),
        (now_s + 15 * DAY_S, Verdict.WARNING),
        (now_s + 31 * DAY_S, Verdict.FAILED),
    ):
        row = list(machine_checks.network(seen, at_s, appliance_runs=True))[-1]
        assert (row.check, row.verdict) == ("certificate", verdict)
        assert "localhost" in row.found
    broken = dataclasses.replace(seen, certificate=None, certificate_problem="can't be read")
    assert list(machine_checks.network(broken, now_s, appliance_runs=True))[-1].verdict is Verdict.FAILED
    assert found.problem(found.begins_s - 1.0)
