"""`raas hooks` against the real web process of a robot that has an owner."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from appliance.identity.ownership import Ownership
from tests.cli.test_tokens import House
from tests.webui.conftest import set_stage

URL = "http://127.0.0.1:9/hook"


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    hooks = "hooks: {allow_private: true, allow_http: true}\n"
    with set_stage("robot: {link: pigpiod}\nweb: {submit: token}\n" + hooks) as stage:
        ownership = Ownership(stage.paths.identity)
        ownership.claim(ownership.setup_code(), "correct horse battery")
        owner, submitter = (ownership.add_token(name, name, 0.0) for name in ("owner", "submit"))
        with stage.serve() as web:
            yield House(web.url, owner, submitter)


def test_an_address_is_added_tested_listed_and_removed(house: House) -> None:
    assert "Nobody is told" in house.raas("hooks", "list").output
    made = json.loads(house.raas("--json", "hooks", "add", URL).output)
    assert len(made["secret"]) >= 32
    assert "on its way" in house.raas("hooks", "test", made["id"]).output
    listed = house.raas("hooks", "list").output
    assert all(part in listed for part in (made["id"], URL, "test", "waiting"))
    assert made["secret"] not in listed
    assert [each["event"] for each in json.loads(house.raas("--json", "hooks", "list").output)["deliveries"]] == [
        "test"
    ]
    assert "no longer" in house.raas("hooks", "remove", made["id"]).output
    assert "Nobody is told" in house.raas("hooks", "list").output


def test_a_person_reads_the_secret_whole(house: House) -> None:
    done = house.raas("hooks", "add", URL, "--secret", "a secret of [bold]mine[/bold], long enough")
    assert "a secret of [bold]mine[/bold], long enough" in done.output, done.output
    (hook,) = json.loads(house.raas("--json", "hooks", "list").output)["hooks"]
    assert house.raas("hooks", "remove", hook["id"]).exit_code == 0


def test_only_an_owner_may_look_or_change(house: House) -> None:
    for token in ("", "raas_guessed", house.submitter):
        for words in (("list",), ("add", URL), ("test", "x"), ("remove", "x")):
            done = house.raas("hooks", *words, token=token)
            assert done.exit_code == 1, words
            assert "Only the owner" in done.output
    assert json.loads(house.raas("--json", "hooks", "list").output)["hooks"] == []


@pytest.mark.parametrize(
    "words", [("add", "ftp://x/y"), ("add", "not an address"), ("test", "../tokens"), ("remove", "x")]
)
def test_what_cant_be_done_is_said(house: House, words: tuple[str, ...]) -> None:
    done = house.raas("hooks", *words)
    assert done.exit_code in (1, 2)
    assert len(done.output.strip()) > 15
    assert "Traceback" not in done.output
