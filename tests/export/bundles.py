"""Bundles as the runner writes them, of a simulated robot driven through several episodes."""

from __future__ import annotations

import math
import random
from pathlib import Path

from appliance.jobs import State
from appliance.realtime.telemetry import StepRecord, TickRecord
from appliance.running import recording, results
from appliance.running.record import Record
from appliance.running.recording import Recording
from appliance.running.results import Setting
from gym_raas import task
from gym_raas.actuator import Actuator
from gym_raas.parameters import PACKAGED, load_robot
from gym_raas.physics import HANGING, Pendulum
from tests.sample_jobs import job

SETTING = Setting("pendulum 1", "twin", "0.1", 120.0)
RECORD = Record(session="0" * 15 + "1", attempt=1, started_at=100.0, ended_at=103.5, state="succeeded", exit_code=0)
JOB = job(State.COLLECTING)


def driven(lengths: tuple[int, ...], seed: int = 1) -> Recording:
    """Episodes of these lengths under random actions, some beyond the limit; every fifth step skips a boundary."""
    robot, rng = load_robot(), random.Random(seed)
    actuator, pendulum = Actuator(robot), Pendulum(robot.model)
    steps: list[StepRecord] = []
    ticks: list[TickRecord] = []
    state, now_us = HANGING, 0

    def counts() -> int:
        return math.floor((state.angle_rad - math.pi) / robot.encoder.rad_per_count)

    def move(command: float, milliseconds: int) -> None:
        nonlocal state, now_us
        for _ in range(milliseconds):
            ticks.append(TickRecord(now_us, counts(), state.velocity_rad_s, command, 0, 0, 0))
            state, now_us = pendulum.advance(state, command, 0.001), now_us + 1000

    for length in lengths:
        move(0.0, 300)
        k = 0
        for step in range(length):
            missed = 1 if step % 5 == 4 else 0
            move(0.0, 50 * missed)
            action, received_us = rng.uniform(-2.5, 2.5), now_us
            clipped, command, _ = actuator.bridge_command(action)
            ticks.append(TickRecord(now_us, counts(), state.velocity_rad_s, command, 0, 0, 0))
            before = steps[-1] if k else None
            seen = (
                (before.angle_rad, before.velocity_rad_s)
                if before
                else (math.pi + counts() * robot.encoder.rad_per_count, state.velocity_rad_s)
            )
            move(command, 50)
            k += 1 + missed
            angle = math.pi + counts() * robot.encoder.rad_per_count
            steps.append(
                StepRecord(
                    k, received_us, received_us + 200, now_us, counts(), angle, state.velocity_rad_s, action, command,
                    task.cost(*seen, clipped), missed, 0,
                )
            )  # fmt: skip
    return Recording(steps, recording.columns(ticks))


def bundle(folder: Path, lengths: tuple[int, ...] = (12, 30), seed: int = 1) -> Path:
    """The bundle of a finished job."""
    attempt = folder / JOB.id / f"attempt-{seed}"
    attempt.mkdir(parents=True)
    (attempt / results.OUTPUT).write_bytes(b"hello\n")
    (attempt / results.ROBOT).write_bytes(PACKAGED.read_bytes())
    results.write(attempt, JOB, RECORD, driven(lengths, seed), SETTING)
    return attempt / results.BUNDLE
