"""The OpenAPI document: it names every address, the answers are as it says, and nobody gets beyond his role."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.config import Config
from appliance.identity.ownership import Ownership
from appliance.webui import app, openapi
from appliance.webui.doorkeeper import Role
from tests.webui.conftest import set_stage
from tests.webui.http_calls import call
from tests.webui.stage import Stage, WebProcess, furnish

NAMES = {
    "<job_id>": "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    "<file_name>": "result.json",
    "<name>": "nobody",
    "<hook_id>": "0123456789abcdef",
    "<attempt>": "1",
    "<number>": "0",
}
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@pytest.fixture(scope="module")
def owned() -> Iterator[tuple[Stage, WebProcess, dict[Role, str]]]:
    """A robot with an owner, jobs, and a token for each role."""
    with set_stage("robot: {link: pigpiod}\nweb: {submit: token}\n") as stage:
        ownership = Ownership(stage.paths.identity)
        ownership.claim(ownership.setup_code(), "correct horse battery")
        tokens = {
            Role.VISITOR: "",
            Role.SUBMITTER: ownership.add_token("anna", "submit", 0.0),
            Role.OWNER: ownership.add_token("otto", "owner", 0.0),
        }
        furnish(stage)
        with stage.serve() as web:
            yield stage, web, tokens


Owned = tuple[Stage, WebProcess, dict[Role, str]]


def test_each_address_of_the_api_stands_in_the_document(stage: Stage) -> None:
    routes = app.build(Config(), stage.paths, stage.paths.config).routes
    promised = {(each.method, each.rule) for each in openapi.CONTRACT}
    assert {(method, rule) for method, rule in routes if rule.startswith("/api/")} == {
        (method, rule) for method, rule in promised if rule.startswith("/api/")
    }


def test_the_document_is_served_and_its_page_shows_every_operation(owned: Owned) -> None:
    port = owned[1].port
    document = call(port, "GET", "/api/openapi.json").json
    assert document["openapi"].startswith("3.1")
    page = call(port, "GET", "/api").body.decode()
    for each in openapi.CONTRACT:
        assert each.path in document["paths"]
        assert f"<code>{each.path}</code>" in page


@pytest.mark.parametrize("role", [Role.VISITOR, Role.SUBMITTER])
def test_nobody_gets_beyond_his_role(owned: Owned, role: Role) -> None:
    _, web, tokens = owned
    bearer = {"Authorization": f"Bearer {tokens[role]}"} if tokens[role] else {}
    for each in openapi.CONTRACT:
        path = each.rule
        for name, value in NAMES.items():
            path = path.replace(name, value)
        if each.role > role:
            assert call(web.port, each.method, path, b"{}", bearer).status == 401, (each.method, path)
        elif each.rule != "/api/events":
            assert call(web.port, each.method, path, b"{}", bearer).status not in (401, 403), (each.method, path)


def attack(web: WebProcess, token: str, examples: int, folder: Path) -> None:
    """Let schemathesis ask everything, well and badly; it fails the test where an answer isn't as promised."""
    command = [Path(sys.executable).with_name("schemathesis"), "run", f"{web.url}/api/openapi.json", "--checks", CHECKS]
    # The stream has no end; a stage has no runner, which /healthz rightly says with 503.
    command += [
        "--exclude-path-regex",
        "^/(api/events|healthz|api/owner)",
        "--max-examples",
        str(examples),
        "--workers",
        "1",
        "--no-color",
    ]
    command += ["--phases", "examples,coverage,fuzzing", "--seed", "1"]
    command += ["--header", f"Authorization: Bearer {token}"] if token else []
    run = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=1200, env=os.environ | {"COLUMNS": "160"}
    )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]


@pytest.mark.parametrize("role", list(Role))
def test_answers_are_as_promised_whatever_is_asked(owned: Owned, role: Role, tmp_path: Path) -> None:
    attack(owned[1], owned[2][role], 1, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("role", list(Role))
def test_answers_are_as_promised_however_long_one_asks(owned: Owned, role: Role, tmp_path: Path) -> None:
    attack(owned[1], owned[2][role], 60, tmp_path)
