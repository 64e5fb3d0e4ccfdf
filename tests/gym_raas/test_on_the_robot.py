"""The environments against the appliance's own gateway and loop, with the twin as the robot."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gym
import gymnasium
import pytest

import gym_raas
from appliance.realtime.telemetry import Segment, StepRecord
from gym_raas import errors, wire
from tests.realtime.guard_process import Rig, running_rig

EXAMPLES = Path(gym_raas.__file__).parent / "examples"


@contextlib.contextmanager
def leased(rig: Rig, limit_s: float) -> Iterator[str]:
    """An armed and started session, kept alive; gives the address of its socket."""
    assert rig.arm(limit_s).ok
    assert rig.start().ok
    over = threading.Event()

    def refresh() -> None:
        while not over.wait(1.0):
            rig.lease()

    thread = threading.Thread(target=refresh)
    thread.start()
    try:
        yield f"ipc://{rig.paths.session(int(rig.session, 16)) / wire.SOCKET_NAME}"
    finally:
        over.set()
        thread.join()
        rig.disarm()


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with tempfile.TemporaryDirectory(prefix="raas-") as folder, running_rig(Path(folder)) as rig:
        rig.wait_ready()
        yield rig


@pytest.fixture
def robot(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    with leased(rig, 100.0) as address:
        monkeypatch.setenv(wire.ENVIRONMENT_VARIABLE, address)
        yield rig


def recorded(rig: Rig) -> list[StepRecord]:
    segment = Segment(rig.paths.segment(int(rig.session, 16)), writable=False)
    steps = list(segment.steps())
    segment.close()
    return steps


def drive_on(env: Any) -> None:
    """More steps than a short session has time for."""
    for _ in range(200):
        env.step([1.0])


def test_rewards_are_what_the_loop_records(robot: Rig) -> None:
    env = gym.make("raaspendulum-v0")
    rewards = [env.step([u])[1] for u in (2.0, 2.0, -2.0, 9.0, 0.5)]
    env._get_obs()
    time.sleep(0.3)
    rewards.append(env.step([-1.0])[1])
    env.reset()
    rewards.append(env.step([1.0])[1])
    env.close()
    assert rewards == pytest.approx([-step.cost for step in recorded(robot)])


def test_info_tells_the_times_of_each_step(robot: Rig) -> None:
    env = gymnasium.make("raaspendulum-v1")
    _, reset = env.reset()
    infos = [env.step([1.0])[4] for _ in range(10)]
    time.sleep(0.21)
    late = env.step([1.0])[4]
    env.close()
    assert reset["settle_s"] >= 0.0
    assert infos[0]["k"] == 1
    assert late["k"] - infos[-1]["k"] >= 4
    assert late["missed"] - infos[-1]["missed"] >= 3
    assert late["flags"] & wire.Flag.LATE
    for info in infos:
        assert 0.0 <= info["action_delay_s"] < 0.05
        assert 0.02 < info["held_s"] < 0.12


def test_a_second_environment_at_the_same_time_is_a_clear_error(robot: Rig) -> None:
    env = gym.make("raaspendulum-v0")
    with pytest.raises(errors.RobotBusy, match=r"env\.close\(\)"):
        gym.make("raaspendulum-v0")
    env.close()
    other = gym.make("raaspendulum-v0")
    other.step([1.0])
    other.close()


def test_the_end_of_the_session_is_an_exception_that_says_why(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with leased(rig, 3.0) as address:
        monkeypatch.setenv(wire.ENVIRONMENT_VARIABLE, address)
        env = gym.make("raaspendulum-v0")
        with pytest.raises(errors.SessionOver, match="time"):
            drive_on(env)
        env.close()


def test_an_emergency_stop_is_an_exception_that_says_so(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    with leased(rig, 30.0) as address:
        monkeypatch.setenv(wire.ENVIRONMENT_VARIABLE, address)
        env = gym.make("raaspendulum-v0")
        env.step([1.0])
        rig.stop()
        try:
            with pytest.raises(errors.RobotStopped, match="stop"):
                drive_on(env)
        finally:
            env.close()
            rig.resume()
    rig.wait_ready()


@pytest.mark.slow
def test_the_swing_up_balances_the_robot(robot: Rig) -> None:
    done = subprocess.run(
        [sys.executable, "run.py"], cwd=EXAMPLES / "swing_up", env=os.environ, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "upright for 1" in done.stdout.splitlines()[-1]


def test_a_program_drives_on_through_a_restart_of_the_gateway(robot: Rig) -> None:
    env = gym.make("raaspendulum-v0")
    env.step([1.0])
    os.kill(robot.child("gateway"), signal.SIGKILL)
    for _ in range(5):
        env.step([1.0])
    env.close()
