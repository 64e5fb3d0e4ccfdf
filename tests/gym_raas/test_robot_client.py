from __future__ import annotations

import copy
import dataclasses
import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gym_raas import errors, wire
from gym_raas.robot_client import Patience, RobotClient
from gym_raas.wire import Refusal, ResetMode
from tests.gym_raas import stand_in
from tests.gym_raas.stand_in import StandIn
from tests.patience import eventually

QUICK = Patience(hello_s=5.0, busy_s=0.5, answer_s=5.0, again_s=0.2, pause_s=0.05)
HASTY = dataclasses.replace(QUICK, hello_s=0.3, answer_s=0.5)


@pytest.fixture
def client(gateway: StandIn) -> Iterator[RobotClient]:
    client = RobotClient(gateway.address, QUICK)
    yield client
    client.close()


def wait_for_kind(gateway: StandIn, kind: str) -> None:
    eventually(lambda: kind in gateway.kinds(), what=kind, then=gateway.kinds)


def test_a_client_greets_steps_reads_resets_and_says_goodbye(gateway: StandIn) -> None:
    client = RobotClient(gateway.address, QUICK)
    assert (client.dt_s, client.action_limit) == (0.05, 2.0)
    assert client.step(2.0).k == 1
    assert client.read().k == 1
    assert client.reset(ResetMode.SETTLE).k == 0
    client.close()
    wait_for_kind(gateway, "Bye")
    assert gateway.kinds() == ["Hello", "Action", "Read", "Reset", "Bye"]


def test_a_client_waits_for_a_gateway_that_is_not_there_yet(short_folder: Path) -> None:
    state = StandIn(stand_in.fresh_address(short_folder))
    made: list[RobotClient] = []
    thread = threading.Thread(target=lambda: made.append(RobotClient(state.address, QUICK)))
    thread.start()
    time.sleep(0.2)  # the client is at it already; sooner or later both is fine
    with stand_in.running(state):
        thread.join()
        assert made[0].step(1.0).k == 1
        made[0].close()


def test_nobody_at_the_address_is_an_error_that_says_what_to_do(short_folder: Path) -> None:
    with pytest.raises(errors.RobotUnreachable, match="unset RAAS_ROBOT to use the simulation"):
        RobotClient(f"ipc://{short_folder}/nobody", HASTY)


@pytest.mark.parametrize("address", ["nonsense", "ipc://" + "x" * 200, "warp://9"])
def test_an_address_that_is_none_is_named(address: str) -> None:
    with pytest.raises(errors.RobotUnreachable, match="is no address of a robot"):
        RobotClient(address, HASTY)


def test_lost_requests_are_asked_again(gateway: StandIn, client: RobotClient) -> None:
    gateway.lose = 2  # the action, and the first question what became of it
    assert client.step(1.0).k == 1
    actions = [request for request in gateway.received if isinstance(request, wire.Action)]
    assert len(actions) == 2
    assert actions[0] == actions[1]


def test_a_slow_gateway_gets_each_action_once(gateway: StandIn, client: RobotClient) -> None:
    for _ in range(3):
        gateway.stall_s = 2.5 * QUICK.again_s
        client.step(1.0)
        gateway.stall_s = 0.0
    assert client.read().k == 3
    assert gateway.kinds().count("Action") == 3
    assert gateway.kinds().count("Read") > 1


def test_answers_to_older_questions_are_dropped(gateway: StandIn, client: RobotClient) -> None:
    gateway.stale = 3
    assert [client.step(1.0).k for _ in range(3)] == [1, 2, 3]


def test_a_gateway_that_has_forgotten_us_is_greeted_again(gateway: StandIn, client: RobotClient) -> None:
    gateway.forget_driver = True
    assert client.step(1.0).k == 1
    assert gateway.kinds() == ["Hello", "Action", "Hello", "Action"]


def test_a_restarted_gateway_goes_on(short_folder: Path) -> None:
    address = stand_in.fresh_address(short_folder)
    with stand_in.running(StandIn(address)):
        client = RobotClient(address, QUICK)
        client.step(1.0)
    with stand_in.running(StandIn(address)):
        assert client.step(1.0).k == 1
        client.close()


@pytest.mark.parametrize("code", [Refusal.PENDING, Refusal.TOO_FAST])
def test_what_is_refused_for_the_moment_is_asked_again(gateway: StandIn, client: RobotClient, code: Refusal) -> None:
    gateway.refuse = [code, code]
    assert client.step(1.0).k == 1


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (Refusal.OVER, errors.SessionOver),
        (Refusal.STOPPED, errors.RobotStopped),
        (Refusal.FAULT, errors.RobotFault),
        (Refusal.BUSY, errors.RobotBusy),
        (Refusal.MALFORMED, errors.RobotRefused),
    ],
)
def test_a_final_refusal_is_raised_in_the_robots_words(
    gateway: StandIn, client: RobotClient, code: Refusal, error: type[Exception]
) -> None:
    gateway.refuse = [code]
    with pytest.raises(error, match=f"refused on cue: {code.name}"):
        client.step(1.0)


def test_stop_and_fault_end_the_session_too() -> None:
    assert issubclass(errors.RobotStopped, errors.SessionOver)
    assert issubclass(errors.RobotFault, errors.SessionOver)


def test_a_driver_who_is_just_leaving_is_waited_for(gateway: StandIn) -> None:
    gateway.refuse_hello = [Refusal.BUSY, Refusal.BUSY]
    client = RobotClient(gateway.address, QUICK)
    assert client.step(1.0).k == 1
    client.close()


def test_a_driver_who_stays_is_a_clear_error(gateway: StandIn) -> None:
    gateway.refuse_hello = [Refusal.BUSY] * 1000
    with pytest.raises(errors.RobotBusy, match="no hello"):
        RobotClient(gateway.address, QUICK)


def test_silence_ends_with_an_error_that_says_where_to_look(gateway: StandIn) -> None:
    client = RobotClient(gateway.address, HASTY)
    gateway.lose = 1000
    with pytest.raises(errors.RobotSilent, match=r"has not answered for .* session has probably ended"):
        client.step(1.0)
    client.close()


def test_another_protocol_version_is_named(gateway: StandIn, client: RobotClient) -> None:
    gateway.replies_raw = [b"RW\x63\x12" + bytes(20)]
    with pytest.raises(errors.RobotError, match="protocol version 99, this side speaks 2: update gym_raas"):
        client.step(1.0)


def test_a_closed_client_says_so_and_closes_twice(client: RobotClient) -> None:
    client.close()
    client.close()
    with pytest.raises(errors.ClosedError, match="make a new one"):
        client.step(1.0)


def test_a_forgotten_client_says_goodbye(gateway: StandIn) -> None:
    client = RobotClient(gateway.address, QUICK)
    client.step(1.0)
    del client
    gc.collect()
    wait_for_kind(gateway, "Bye")


def test_a_program_that_ends_without_closing_says_goodbye(gateway: StandIn) -> None:
    program = "import gym, gym_raas\nenv = gym.make('raaspendulum-v0')\nenv.step([1.0])\n"
    environment = os.environ | {wire.ENVIRONMENT_VARIABLE: gateway.address}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    wait_for_kind(gateway, "Bye")


def test_a_forked_child_gets_an_error_and_leaves_the_parents_connection_alone(
    gateway: StandIn, client: RobotClient
) -> None:
    client.step(1.0)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(20)
        try:
            client.step(1.0)
        except errors.ForkedError as error:
            os.write(writer, str(error).encode())
            client.close()
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(child, 0)
    assert "forked child" in os.read(reader, 1000).decode()
    assert client.step(1.0).k == 2
    assert "Bye" not in gateway.kinds()


def test_a_connection_is_neither_copied_nor_pickled(client: RobotClient) -> None:
    with pytest.raises(TypeError, match="can't be copied or pickled"):
        pickle.dumps(client)
    with pytest.raises(TypeError, match="can't be copied or pickled"):
        copy.deepcopy(client)
