"""A cable with 5 ms of delay each way that loses a packet in a hundred, and one that is pulled. Prints what it measures."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from appliance.jobs import Reason, State
from tests.lease.lab import Lab, running_lab
from tests.lease.lossy_network import ROBOT, Network, is_possible, lossy_network

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_possible(), reason="needs root and /dev/net/tun"),
]

DELAY_S, LOSS = 0.005, 0.01
STEPS = 200


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    with lossy_network(DELAY_S, LOSS) as made:
        yield made


@pytest.fixture(scope="module")
def lab(network: Network) -> Iterator[Lab]:
    with running_lab("limit_s: 120", ROBOT, network.on_robot) as started:
        yield started


def test_a_bad_network_costs_time_and_no_step(network: Network, lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    program = lab.program(lab.token("anna"), STEPS, network.on_laptop)
    job = lab.reaches(State.RUNNING)
    said, problem = program.communicate(timeout=120)
    assert "closed" in said, problem
    ended = lab.ended(job.id)
    report = lab.report(job.id)
    found = report.network
    assert found is not None
    assert (ended.state, ended.steps) == (State.SUCCEEDED, STEPS)
    assert 2 * DELAY_S <= found.network_p50_s < 0.05, "it measures the network"
    with capsys.disabled():
        print(
            f"\n{2e3 * DELAY_S:.0f} ms there and back, {LOSS:.0%} loss, {network.cable.lost} of {network.cable.passed} packets:"
            f" {ended.steps} steps, {ended.missed_steps} missed; network {1e3 * found.network_p50_s:.1f} ms (p50),"
            f" {1e3 * found.network_p99_s:.1f} (p99), {1e3 * found.network_max_s:.1f} (most); reconnects {found.reconnects}"
        )


def test_a_cable_that_is_out_for_a_moment_ends_nothing(network: Network, lab: Lab) -> None:
    program = lab.program(lab.token("ben"), 60, network.on_laptop)
    assert program.stdout is not None
    assert program.stdout.readline() == "driving\n"
    network.cable.is_pulled = True
    threading.Event().wait(0.3)
    network.cable.is_pulled = False
    said, problem = program.communicate(timeout=120)
    assert "closed" in said, problem
    ended = lab.ended(lab.newest().id)
    assert (ended.state, ended.steps) == (State.SUCCEEDED, 60)


def test_a_cable_that_stays_out_frees_the_robot_within_two_seconds(
    network: Network, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    program = lab.program(lab.token("cara"), 10_000, network.on_laptop)
    assert program.stdout is not None
    assert program.stdout.readline() == "driving\n"
    job = lab.reaches(State.RUNNING)
    network.cable.is_pulled = True
    pulled_s = time.time()
    free_s = lab.freed_after_s(job.id, pulled_s)
    network.cable.is_pulled = False
    ended = lab.ended(job.id)
    with capsys.disabled():
        print(f"\ncable pulled: the robot was free after {free_s:.2f} s")
    assert (ended.state, ended.reason) == (State.FAILED, Reason.CLIENT_GONE)
    assert free_s < 2.0
    _, problem = program.communicate(timeout=60)
    assert "SessionOver" in problem or "RobotSilent" in problem, problem
