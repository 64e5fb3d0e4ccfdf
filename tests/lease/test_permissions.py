"""Who may drive: rows, keys and what the commands and routes make of them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from appliance.cli import lease_commands
from appliance.cli.app import app
from appliance.errors import Conflict, NotFound, RaasError
from appliance.jobs import State
from appliance.lease import keys
from appliance.lease.permissions import DAY_S, Permissions
from appliance.paths import Paths
from appliance.store import LEASE, NewJob, Store
from gym_raas import remote_token


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.of(tmp_path / "data", tmp_path / "run")


@pytest.fixture
def permissions(paths: Paths) -> Iterator[Permissions]:
    with contextlib.closing(Permissions(paths.database)) as opened:
        yield opened


def test_a_permission_has_a_name_and_an_end_and_is_taken_back(permissions: Permissions) -> None:
    permissions.grant("anna", b"a" * 32, 100.0, 50.0)
    permissions.grant("ben", b"b" * 32, 100.0, None)
    anna, ben = permissions.all()
    assert (anna.has_ended(149.0), anna.has_ended(150.0), ben.has_ended(1e12)) == (False, True, False)
    with pytest.raises(Conflict, match="may drive already"):
        permissions.grant("anna", b"c" * 32, 100.0, None)
    permissions.revoke("anna")
    assert [one.name for one in permissions.all()] == ["ben"]
    with pytest.raises(NotFound, match="Nobody called anna"):
        permissions.revoke("anna")


def test_the_time_of_the_last_day_counts_and_no_older_one(paths: Paths, permissions: Permissions) -> None:
    now_s = 10 * DAY_S
    with contextlib.closing(Store(paths.database)) as store:
        for began_s, took_s in ((now_s - 2 * DAY_S, 500.0), (now_s - DAY_S - 10.0, 30.0), (now_s - 100.0, 7.0)):
            job = store.add(NewJob("archive", "elsewhere", "anna", lease_s=600.0), began_s)
            for state in (State.PREPARING, State.WAITING_FOR_ROBOT):
                store.move(job.id, state, began_s)
            store.move(job.id, State.RUNNING, began_s, started_at=began_s)
            store.move(job.id, State.FAILED, began_s + took_s, ended_at=began_s + took_s)
        assert store.get(job.id).source_kind == LEASE
    assert permissions.used_s("anna", now_s) == pytest.approx(27.0)
    assert permissions.used_s("ben", now_s) == 0.0


def test_the_key_is_made_once_and_a_broken_one_is_never_replaced(paths: Paths) -> None:
    secret = keys.server_secret(paths.lease)
    assert keys.server_secret(paths.lease) == secret
    (paths.lease / keys.SERVER_KEY).write_bytes(b"short")
    with pytest.raises(RaasError, match="damaged"):
        keys.server_secret(paths.lease)


def test_the_command_prints_a_token_for_the_appliance_once(paths: Paths, permissions: Permissions) -> None:
    command = ["--data", str(paths.data), "--json", "lease", "grant", "anna", "--days", "30"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    text = done.output.split('"token": "')[1].split('"')[0]
    token = remote_token.read(text)
    assert token.server_public == keys.public(keys.server_secret(paths.lease))
    (anna,) = permissions.all()
    assert anna.public_key == keys.public(token.client_secret)
    assert anna.ends_at is not None
    assert anna.ends_at == pytest.approx(time.time() + 30 * DAY_S, abs=60.0)


def test_a_token_is_never_made_over_http(paths: Paths) -> None:
    done = CliRunner().invoke(app, ["--url", "http://127.0.0.1:1", "--data", str(paths.data), "lease", "grant", "anna"])
    assert done.exit_code == 1
    assert "on the appliance itself" in done.output


@pytest.mark.parametrize(
    ("url", "port", "robot"),
    [
        ("http://pendulum.local:8080", 5588, "raas://pendulum.local"),
        ("https://10.0.0.5", 6000, "raas://10.0.0.5:6000"),
        ("http://[::1]:8080", 5588, "raas://[::1]"),
    ],
)
def test_the_address_is_the_pages_host(url: str, port: int, robot: str) -> None:
    assert lease_commands.address_of(url, port) == robot
