"""Everything that can be wrong with a wish to drive over the network: each a clear error that says what to do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import pytest
import zmq
from zmq.utils import z85

import gym_raas
from appliance.lease import keys
from gym_raas import errors, remote_wire
from gym_raas.remote_client import LeaseWish, RemoteClient, parsed
from gym_raas.remote_token import PREFIX, LeaseToken, read
from gym_raas.robot_client import Patience
from tests.lease.lab import Lab, free_port, running_lab, step_on

SHORT = Patience(hello_s=1.0)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running_lab("limit_s: 10, quota_s: 5") as started:
        yield started


def quiet(token: object) -> LeaseWish:
    return LeaseWish(token, say=lambda _text: None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (None, "needs token="),
        ("", "needs token="),
        (5, "token is a int"),
        ("raas_abcdefghijkl", "no token for a lease"),
        (PREFIX + "abc", "damaged"),
        (PREFIX + "ä" * 91, "damaged"),
        (Path("/nonexistent/token"), "can't be read"),
    ],
)
def test_what_is_no_token_is_refused_before_anything_is_sent(given: object, says: str) -> None:
    with pytest.raises(errors.BadToken, match=says):
        RemoteClient("raas://127.0.0.1:1", quiet(given))


def test_one_wrong_letter_is_found_and_the_error_doesnt_show_the_token() -> None:
    text = LeaseToken(b"a" * 32, b"b" * 32).text()
    wrong = text[:-5] + ("A" if text[-5] != "A" else "B") + text[-4:]
    with pytest.raises(errors.BadToken, match="damaged") as caught:
        read(wrong)
    assert wrong not in str(caught.value)
    assert "b" * 8 not in repr(read(text))


def test_a_token_may_stand_in_a_file(tmp_path: Path) -> None:
    token = LeaseToken(b"a" * 32, b"b" * 32)
    (tmp_path / "token").write_text(token.text() + "\n")
    assert read(tmp_path / "token") == token


@pytest.mark.parametrize(
    "address", ["raas://", "raas://host:0x", "raas://host:99999", "raas://host/path", "raas://me@host"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(errors.RobotUnreachable, match="no address of a robot"):
        parsed(address)


def test_the_public_face_takes_the_same_words() -> None:
    assert gym_raas
    with pytest.raises(errors.BadToken, match="raas lease grant"):
        gymnasium.make("raaspendulum-v1", robot="raas://pendulum.local")
    with pytest.raises(ValueError, match="lease_s"):
        gymnasium.make("raaspendulum-v1", robot="raas://pendulum.local", token="x", lease_s=-1.0)


def test_a_name_that_leads_nowhere_is_named(lab: Lab) -> None:
    with pytest.raises(errors.RobotUnreachable, match=r"'nowhere\.invalid' leads nowhere"):
        RemoteClient("raas://nowhere.invalid", quiet(lab.token("eve")))


def test_where_nobody_listens_it_says_what_may_be_wrong(lab: Lab) -> None:
    with pytest.raises(errors.RobotUnreachable, match="off, too old, or its owner hasn't switched it on"):
        RemoteClient(f"raas://127.0.0.1:{free_port()}", quiet(lab.token("finn")), SHORT)


def test_an_unknown_key_is_refused_at_the_door(lab: Lab) -> None:
    server = keys.public(keys.server_secret(lab.paths.lease))
    with pytest.raises(errors.LeaseDenied, match="doesn't know this token"):
        lab.drive(LeaseToken(server, keys.new_secret()).text())


def test_another_appliances_token_is_refused(lab: Lab) -> None:
    other = LeaseToken(keys.public(keys.new_secret()), keys.new_secret())
    with pytest.raises(errors.LeaseDenied, match="isn't the appliance that this token is for"):
        lab.drive(other.text())


def test_a_permission_that_has_ended_says_so(lab: Lab) -> None:
    with pytest.raises(errors.LeaseDenied, match="permission has ended"):
        lab.drive(lab.token("gus", lasts_s=0.0))


@pytest.mark.slow
def test_the_days_time_is_used_up_at_last(lab: Lab) -> None:
    token = lab.token("hanna")
    client = lab.drive(token)
    assert client.limit_s == 5.0
    with pytest.raises(errors.SessionOver):
        step_on(client)
    client.close()
    lab.ended(client.job_id)
    with pytest.raises(errors.LeaseDenied, match="used up"):
        lab.drive(token)


@pytest.mark.parametrize(("version", "whom"), [(0, "the appliance"), (9, "gym_raas")])
def test_another_version_says_which_side_to_update(version: int, whom: str) -> None:
    context, secret, port = zmq.Context[zmq.Socket[bytes]](), keys.new_secret(), free_port()
    service = context.socket(zmq.ROUTER)
    service.curve_server, service.curve_secretkey = True, z85.encode(secret)
    service.bind(f"tcp://127.0.0.1:{port}")
    try:

        def answer() -> None:
            peer, _ = service.recv_multipart()
            message = bytearray(remote_wire.Place(1, "wait").pack())
            message[2] = version
            service.send_multipart([peer, bytes(message)])

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(errors.RobotError, match=f"Update {whom}"):
            RemoteClient(f"raas://127.0.0.1:{port}", quiet(LeaseToken(keys.public(secret), keys.new_secret()).text()))
        thread.join()
    finally:
        context.destroy(linger=0)
