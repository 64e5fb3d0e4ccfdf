"""How is a recorded job run again? Its trace on a twin here, or its actions, step by step, as a program for the robot."""

from __future__ import annotations

import csv
import io
import json
import math
import tarfile
import zipfile
from pathlib import Path
from typing import Final

import numpy as np
import yaml

from appliance.calibration import residual
from appliance.calibration.recordings import BadRecording
from appliance.calibration.residual import Residual
from appliance.calibration.session import entry
from gym_raas.parameters import Robot, RobotFileError, robot_from

_MOST_STEPS: Final = 100_000
_PROGRAM: Final = '''\
"""Replays the actions of job {job}, one a step; where that job missed a boundary, its action holds as it did."""

import json
from pathlib import Path

import gymnasium
import gym_raas

actions = json.loads(Path(__file__).with_name("actions.json").read_text())
with gymnasium.make("raaspendulum-v1", max_episode_steps=len(actions) + 1) as env:
    env.reset()
    for action in actions:
        env.step([action])
print(f"replayed {{len(actions)}} steps")
'''


def on_twin(bundle: Path, robot: Robot | None = None) -> Residual:
    """A job's commands, with their real times, on the twin of the robot that it ran on, or of another. Raises BadRecording."""
    try:
        with zipfile.ZipFile(bundle) as archive:
            used = robot or robot_from(yaml.safe_load(entry(archive, "robot.yaml")), "robot.yaml")
            with np.load(io.BytesIO(entry(archive, "trace.npz")), allow_pickle=False) as trace:
                names = ("t_us", "counts", "velocity_rad_s", "command")
                t_us, counts, velocity, commands = (np.asarray(trace[name]).astype(float) for name in names)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile, yaml.YAMLError, RobotFileError) as error:
        raise BadRecording(f"{bundle.name} holds no recording of a job: {error}") from error
    found = residual.compare(used, t_us / 1e6, counts.astype(np.int64), velocity, commands)
    if found is None:
        raise BadRecording("The robot recorded too little in this job to replay it.")
    return found


def actions(steps_csv: str) -> list[float]:
    """The actions of a job's steps.csv; one that held over missed boundaries stands once for each. Raises BadRecording."""
    found: list[float] = []
    try:
        for row in csv.DictReader(io.StringIO(steps_csv)):
            action, missed = float(row["action"]), int(row["missed"])
            if not math.isfinite(action) or not 0 <= missed <= _MOST_STEPS - len(found):
                raise ValueError("an action or a count of missed boundaries that can't be")
            found += [action] * (1 + missed)
            if len(found) > _MOST_STEPS:
                raise ValueError(f"more than {_MOST_STEPS} steps")
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise BadRecording(f"steps.csv can't be replayed: {error}") from error
    if not found:
        raise BadRecording("The job made no step, so there is nothing to replay.")
    return found


def program(path: Path, job: str, recorded: list[float]) -> None:
    """Write a job's source to `path` (tar.gz): run.py and the actions."""
    with tarfile.open(path, "w:gz") as tar:
        for name, text in (("run.py", _PROGRAM.format(job=job)), ("actions.json", json.dumps(recorded))):
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
