"""A support bundle helps, and holds no secret: each that this appliance knows, and each shape that others have."""

from __future__ import annotations

import io
import json
import secrets
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.care import page_settings, redaction, support
from appliance.care.support import Appliance
from appliance.paths import Paths
from appliance.webui import owner_pages
from tests.appliance_process import REPOSITORY
from tests.care.furnished import PASSWORD, furnish

WIFI, BESIDE, FLEET, COMMENT, TYPED = (
    "wifi-pass-phrase-7",
    "fleetAccessKey9",
    "fleetSecretKey/Value+1234",
    "comment-secret-99",
    "typed-into-log-5",
)


@pytest.fixture
def content(tmp_path: Path) -> dict[str, str]:
    """The bundle of an appliance with secrets everywhere, and the secrets."""
    paths = furnish(tmp_path)

    token = f"raas_{secrets.token_urlsafe(24)}"
    (paths.identity / "setup-code").write_text("ABCDE-FGH23\n")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (paths.data / "credentials").mkdir()
    (paths.data / "credentials" / "fleet-access-key").write_text(BESIDE)
    (credentials / "fleet-secret-key").write_text(FLEET)
    with paths.config.open("a") as file:
        file.write(f"# {COMMENT}\nweb: {{password: {WIFI}}}\nowner_password: {PASSWORD}\n")
    paths.logs.mkdir()
    kept = json.loads((paths.identity / "owner.json").read_text())
    said = [
        "Claim it on its page with the setup code ABCDE-FGH23.", f"GET /?token={TYPED}", f"Authorization: Bearer {token}",
        f"bucket refused {FLEET} of {BESIDE}", kept["password"], kept["secret"], f"Cookie: raas_session={TYPED}", f"password={TYPED}",
        f"fetch https://anna:{TYPED}@example.org/r.git failed", "an ordinary line",
    ]  # fmt: skip
    (paths.logs / "webui.log").write_text("\n".join(said))
    data = support.bundle(Appliance(paths, paths.config, credentials), lambda _config: None)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        found = {name: archive.read(name).decode() for name in archive.namelist()}
    found["secrets"] = json.dumps(
        [token, "ABCDE-FGH23", FLEET, BESIDE, WIFI, COMMENT, TYPED, PASSWORD, kept["password"], kept["secret"]]
    )
    return found


def test_no_secret_gets_in(content: dict[str, str]) -> None:
    for secret in json.loads(content.pop("secrets")):
        assert [name for name, text in content.items() if secret in text] == []


def test_nothing_of_other_peoples_jobs_gets_in(content: dict[str, str]) -> None:
    del content["secrets"]
    assert not [name for name, text in content.items() if "swinging" in text or "run.py" in text or "tar.gz" in text]
    assert {job["state"] for job in json.loads(content["jobs.json"])} == {"succeeded", "running", "queued"}


def test_what_helps_is_there(content: dict[str, str]) -> None:
    assert "an ordinary line" in content["logs/webui.txt"]
    assert "name: lab" in content["raas.yaml"]
    assert "there is no key" in content["diagnosis.txt"]
    assert json.loads(content["versions.json"])["packages"]["msgspec"]
    assert json.loads(content["diagnosis.json"])["ok"] is False


def test_its_name_is_one_that_every_disk_takes() -> None:
    assert owner_pages.bundle_name("../Lab θ\r\n1", 0.0) == "raas-support-lab----1-19700101-0000.zip"
    assert owner_pages.bundle_name("θ", 0.0) == "raas-support-robot-19700101-0000.zip"


SHAPES = [
    "raas_AbCdEfGhIjKlMnOpQrStUvWx", "password: hunter2hunter2", "psk=hunter2hunter2", "secret_key = 'hunter2hunter2'",
    '"access_key": "hunter2hunter2"', "Authorization: Basic aHVudGVyMmh1bnRlcjI=", "https://u:hunter2hunter2@h/p",
    "AKIAIOSFODNN7EXAMPLE", "?X-Amz-Signature=hunter2hunter2&x", "ghp_hunter2hunter2hunter2",
    "setup code: HJKMN-PQRS2", "raas_session=hunter2hunter2",
    "-----BEGIN OPENSSH PRIVATE KEY----- hunter2hunter2 -----END OPENSSH PRIVATE KEY-----",
]  # fmt: skip


@pytest.mark.parametrize("text", SHAPES)
def test_what_looks_like_a_secret_is_hidden(text: str) -> None:
    shown = redaction.line(f"before {text} after")
    assert redaction.HIDDEN in shown
    assert "hunter2" not in shown
    assert shown.startswith("before ")


@pytest.mark.parametrize(
    "text",
    [
        "real-time: granted core 1, FIFO priority 80",
        "01M820AYNGRBABQMWPSCATBTQ2 running",
        "GET /jobs?before=x 200",
        "keys: 3",
    ],
)
def test_ordinary_lines_stay(text: str) -> None:
    assert redaction.line(text) == text


@settings(max_examples=40)
@given(st.recursive(st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20))
def test_any_settings_file_can_be_shown(value: object) -> None:
    redaction.content({"password": value, "name": value})
    assert redaction.content({"password": value or "x"})["password"] == redaction.HIDDEN


def test_the_pages_settings_are_in_it(tmp_path: Path) -> None:
    paths = Paths.of(tmp_path)
    page_settings.save(paths, {"name": "from the page"})
    data = support.bundle(Appliance(paths, paths.config), lambda _config: None)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert "from the page" in archive.read("page-settings.yaml").decode()


def test_the_command_writes_it_or_says_where_it_should_look(tmp_path: Path) -> None:
    def raas(data: Path, file: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "appliance.cli", "--data", str(data), "support", str(file)]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)

    assert "--data DATA" in raas(tmp_path / "nowhere", tmp_path / "a.zip").stderr
    assert raas(tmp_path, tmp_path / "a.zip").returncode == 0
    assert zipfile.is_zipfile(tmp_path / "a.zip")
