"""A program elsewhere drives the robot: through the public face, with everything real but the metal."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import gym
import gymnasium
import pytest

import gym_raas
from appliance.errors import Conflict
from appliance.jobs import Reason, State
from gym_raas import errors
from gym_raas.remote_client import LeaseWish, RemoteClient
from tests.lease.lab import REPOSITORY, WAIT_S, Lab, running_lab, step_on, swing
from tests.patience import eventually

STEPS = 20


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running_lab("limit_s: 30, max_waiting: 2") as started:
        yield started


@pytest.fixture(scope="module")
def token(lab: Lab) -> str:
    return lab.token("anna")


def test_a_gymnasium_program_drives_by_naming_robot_and_token(lab: Lab, token: str) -> None:
    assert gym_raas
    env = gymnasium.make("raaspendulum-v1", robot=lab.robot, token=token)
    env.reset()
    job = lab.reaches(State.RUNNING)
    infos = [env.step([swing(k)])[4] for k in range(STEPS)]
    env.close()
    ended = lab.ended(job.id)
    assert (ended.state, ended.submitter, ended.source_kind, ended.steps) == (State.SUCCEEDED, "anna", "lease", STEPS)
    report = lab.report(job.id)
    assert report.network is not None
    assert report.network.exchanges >= STEPS
    assert report.network.address == "127.0.0.1"
    assert report.limit_s == 30.0
    assert {"steps.csv", "trace.npz", "result.json", "output.log"} <= report.files.keys()
    assert all(0.0 <= info["network_s"] < 1.0 and 0.0 < info["at_robot_s"] < 1.0 for info in infos)
    assert "drives from 127.0.0.1" in lab.output(job.id)
    assert "closed its environment" in lab.output(job.id)


@pytest.mark.slow
def test_an_old_program_drives_too(lab: Lab, token: str) -> None:
    env = gym.make("raaspendulum-v0", robot=lab.robot, token=token)
    env.reset()
    job = lab.reaches(State.RUNNING)
    _, _, done, info = env.step([1.0])
    env.close()
    assert not done
    assert info["network_s"] >= 0.0
    assert lab.ended(job.id).state is State.SUCCEEDED


def test_it_waits_behind_jobs_and_hears_of_its_place(lab: Lab, token: str) -> None:
    first = lab.submit("import time; time.sleep(2)")
    eventually(lambda: lab.store.get(first).state is State.RUNNING, WAIT_S)
    told: list[str] = []
    client = RemoteClient(lab.robot, LeaseWish(token, say=told.append))
    assert lab.store.get(first).state.is_final
    assert any("in line" in text for text in told), told
    assert client.limit_s == 30.0
    with pytest.raises(errors.RobotBusy, match="already"):
        lab.drive(token)
    client.close()
    lab.ended(client.job_id)


def test_cancelling_its_job_ends_it(lab: Lab, token: str) -> None:
    client = lab.drive(token)
    client.step(1.0)
    lab.store.request_cancel(client.job_id, time.time())
    with pytest.raises(errors.SessionOver):
        step_on(client)
    client.close()
    assert lab.ended(client.job_id).reason is Reason.BY_USER


@pytest.mark.slow
def test_its_time_ends(lab: Lab, token: str) -> None:
    client = lab.drive(token, lease_s=2.0)
    with pytest.raises(errors.SessionOver):
        step_on(client)
    client.close()
    ended = lab.ended(client.job_id)
    assert (ended.state, ended.lease_s) == (State.TIMED_OUT, 2.0)
    assert lab.report(ended.id).limit_s == 2.0


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=pytest.mark.slow)])
def test_a_program_that_vanishes_frees_the_robot_within_two_seconds(lab: Lab, token: str, how: signal.Signals) -> None:
    # What a busy machine adds differs from time to time; what our own waits add doesn't, and they are 1.6 s and more.
    assert any(_free_after_s(lab, token, how) < 2.0 for _ in range(4))


def _free_after_s(lab: Lab, token: str, how: signal.Signals) -> float:
    program = lab.program(token, 10_000)
    assert program.stdout is not None
    assert [program.stdout.readline()[0] for _ in range(3)] == ["d", "0", "1"]
    job = lab.reaches(State.RUNNING)
    os.kill(program.pid, how)
    free_s = lab.freed_after_s(job.id, time.time())
    program.kill()
    ended = lab.ended(job.id)
    assert (ended.state, ended.reason) == (State.FAILED, Reason.CLIENT_GONE)
    assert lab.report(job.id).steps > 0
    return free_s


@pytest.mark.slow
def test_a_program_that_vanishes_while_it_waits_loses_its_place(lab: Lab, token: str) -> None:
    first = lab.submit("import time; time.sleep(60)")
    eventually(lambda: lab.store.get(first).state is State.RUNNING, WAIT_S)
    program = lab.program(token, 10)
    eventually(lambda: lab.newest().lease_s is not None, WAIT_S)
    job = lab.newest()
    program.kill()
    assert lab.ended(job.id).state is State.CANCELLED
    with contextlib.suppress(Conflict):
        lab.store.request_cancel(first, time.time())


@pytest.mark.slow
def test_a_token_that_was_taken_back_ends_the_lease_and_is_refused_then(lab: Lab) -> None:
    token = lab.token("dora")
    client = lab.drive(token)
    lab.revoke("dora")
    with pytest.raises(errors.RobotError, match=r"taken this token back|over"):
        step_on(client)
    client.close()
    lab.ended(client.job_id)
    with pytest.raises(errors.LeaseDenied, match="doesn't know this token"):
        lab.drive(token)


@pytest.mark.slow
def test_a_service_that_dies_frees_the_robot_and_its_successor_serves(lab: Lab, token: str) -> None:
    client = lab.drive(token)
    client.step(1.0)
    lab.service.kill()
    lab.service.wait()
    assert lab.ended(client.job_id).reason is Reason.CLIENT_GONE
    lab.start_service()
    with pytest.raises(errors.RobotError):
        client.step(1.0)
    client.close()
    after = lab.drive(token)
    after.step(1.0)
    after.close()
    assert lab.ended(after.job_id).state is State.SUCCEEDED


def test_the_documented_program_runs_as_it_stands(lab: Lab, token: str, tmp_path: Path) -> None:
    page = (REPOSITORY / "docs/researcher.md").read_text()
    program = re.search(r"```python remote\.py\n(.*?)```", page, re.DOTALL)
    assert program
    (tmp_path / "remote.py").write_text(program[1].replace("raas://pendulum.local", lab.robot))
    (tmp_path / "robot.token").write_text(token + "\n")
    done = subprocess.run([sys.executable, "remote.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert re.fullmatch(r"missed \d+, network \d+\.\d ms, at the robot \d+\.\d ms\n", done.stdout), done.stderr
    assert re.search("Next in line|The robot is coming to rest", done.stderr), "whoever waits is told why"
