"""`raas tokens` against the real web process of a robot that has an owner."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner, Result

from appliance.cli.app import app
from appliance.identity.ownership import Ownership
from tests.webui.conftest import set_stage


class House:
    """An appliance's address, and an owner's and a submitter's token."""

    def __init__(self, url: str, owner: str, submitter: str) -> None:
        self.url, self.owner, self.submitter = url, owner, submitter

    def raas(self, *words: str, token: str | None = None) -> Result:
        given = self.owner if token is None else token
        return CliRunner().invoke(app, ["--url", self.url, "--token", given, *words], env={"COLUMNS": "160"})


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with set_stage("robot: {link: pigpiod}\nweb: {submit: token}\n") as stage:
        ownership = Ownership(stage.paths.identity)
        ownership.claim(ownership.setup_code(), "correct horse battery")
        owner, submitter = (ownership.add_token(name, name, 0.0) for name in ("owner", "submit"))
        with stage.serve() as web:
            yield House(web.url, owner, submitter)


def test_a_token_is_handed_out_listed_and_taken_back(house: House) -> None:
    made = json.loads(house.raas("--json", "tokens", "new", "Ben O'Neil", "--days", "90").output)
    assert made["token"].startswith("raas_")
    listed = house.raas("tokens", "list").output
    assert "Ben O'Neil" in listed
    assert made["token"] not in listed
    assert house.raas("jobs", token=made["token"]).exit_code == 0
    assert "works no longer" in house.raas("tokens", "remove", "Ben O'Neil").output
    assert "Ben" not in house.raas("tokens", "list").output


def test_a_person_reads_the_new_token_whole(house: House) -> None:
    said = house.raas("tokens", "new", "carla", "--right", "owner").output
    (token,) = [word for word in said.split() if word.startswith("raas_")]
    assert "only a hash" in said
    assert house.raas("tokens", "list", token=token).exit_code == 0


def test_only_an_owner_may_look_or_change(house: House) -> None:
    for token in ("", "raas_guessed", house.submitter):
        for words in (("list",), ("new", "mallory"), ("remove", "owner")):
            done = house.raas("tokens", *words, token=token)
            assert done.exit_code == 1, words
            assert "Only the owner" in done.output
    assert "mallory" not in house.raas("tokens", "list").output


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("new", "owner"), 1, "already"), (("new", "-"), 1, "begins with a letter"), (("new", "x" * 41), 1, "at most 40"),
        (("remove", "nobody/../x"), 2, "Nobody called"), (("new", "x", "--days", "0"), 2, ""), (("new", "x", "--right", "root"), 2, ""),
    ],
)  # fmt: skip
def test_what_cant_be_done_is_said(house: House, words: tuple[str, ...], code: int, said: str) -> None:
    done = house.raas("tokens", *words)
    assert done.exit_code == code
    assert said in done.output
