"""The owner's password on the card opens the page: from raas.yaml on the FAT partition to a session of the real web process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.image_build.sd.test_first_boot import Machine
from tests.webui.conftest import set_stage
from tests.webui.http_calls import Answer, call
from tests.webui.stage import WebProcess

PASSWORD = "from the card: ~10 chars"
REAL = "robot: {link: pigpiod}\n"


@pytest.fixture
def card(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def post(web: WebProcess, path: str, **fields: str) -> Answer:
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": web.url, "Accept": "text/html"}
    return call(web.port, "POST", path, urlencode(fields).encode(), headers)


def test_the_password_on_the_card_makes_its_writer_the_owner(card: Machine) -> None:
    with set_stage(REAL) as stage:
        card.places = replace(card.places, identity=stage.paths.identity)
        card.boots(f"owner_password: '{PASSWORD}'\nname: lab\n")
        assert PASSWORD not in card.card
        with stage.serve() as web:
            assert call(web.port, "GET", "/claim", headers={"Accept": "text/html"}).headers["location"] == "/login"
            assert post(web, "/login", password="a wrong password").status == 403
            entered = post(web, "/login", password=PASSWORD)
            assert entered.status == 303
            cookie = {"Cookie": entered.headers["set-cookie"].partition(";")[0]}
            assert call(web.port, "GET", "/owner/settings", headers=cookie).status == 200


def test_a_new_card_file_replaces_a_lost_password_and_ends_old_sessions(card: Machine) -> None:
    with set_stage(REAL) as stage:
        card.places = replace(card.places, identity=stage.paths.identity)
        card.boots("owner_password: the lost password")
        with stage.serve() as web:
            old = {"Cookie": post(web, "/login", password="the lost password").headers["set-cookie"].partition(";")[0]}
        card.boots(f"owner_password: '{PASSWORD}'")
        with stage.serve() as web:
            assert call(web.port, "GET", "/owner", headers=old).status == 401
            assert post(web, "/login", password=PASSWORD).status == 303


def test_a_password_that_is_too_short_leaves_the_appliance_unclaimed_and_says_so(card: Machine) -> None:
    with set_stage(REAL) as stage:
        card.places = replace(card.places, identity=stage.paths.identity)
        said = card.boots("owner_password: short")
        assert "owner_password" in said
        assert "Setup code" in said
        with stage.serve() as web:
            assert call(web.port, "GET", "/", headers={"Accept": "text/html"}).headers["location"] == "/claim"
