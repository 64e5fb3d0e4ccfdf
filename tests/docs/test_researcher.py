"""docs/researcher.md: its programs run as they stand, and its tables say what the code says."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path

import gymnasium
import msgspec
import numpy as np
import pytest

import gym_raas
from appliance.config import options
from appliance.realtime.telemetry import StepRecord, TickRecord
from appliance.running import recording, results
from appliance.shapes import Result
from gym_raas import task, wire

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/researcher.md").read_text()
PROGRAMS = dict(re.findall(r"```python (\S+)\n(.*?)```", PAGE, re.DOTALL))


def rows(heading: str) -> list[list[str]]:
    """The cells of the table whose first heading that is."""
    lines = PAGE.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {heading} |")) + 2
    end = next(number for number in range(start, len(lines)) if not lines[number].startswith("|"))
    return [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines[start:end]]


def run(folder: Path, name: str) -> str:
    (folder / name).write_text(PROGRAMS[name])
    done = subprocess.run([sys.executable, name], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_controller_swings_up_and_stays_within_the_degrees_that_are_told(tmp_path: Path) -> None:
    angles = [float(angle) for angle in re.findall(r"([+-]\d+\.\d) degrees", run(tmp_path, "run.py"))]
    assert len(angles) == 20
    assert max(abs(angle) for angle in angles[3:]) < 3.0


def test_training_on_the_twin_finds_gains_that_drive_it(tmp_path: Path) -> None:
    (tmp_path / "policy.py").write_text(PROGRAMS["policy.py"])
    returns = [float(mean) for mean in re.findall(r"mean return (-\d+)", run(tmp_path, "train.py"))]
    assert returns[-1] > returns[0], "it learns"
    assert float(run(tmp_path, "drive.py").split()[-1]) > 0.95, "upright at the end"


def test_the_data_are_read_as_shown(tmp_path: Path) -> None:
    made = recorded()
    (tmp_path / "result.json").write_bytes(msgspec.json.encode(recording.result(made, "hello\n", failed=False)))
    (tmp_path / "steps.csv").write_bytes(recording.steps_csv(made))
    (tmp_path / "trace.npz").write_bytes(recording.trace_npz(made))
    told = run(tmp_path, "read.py")
    assert "4 steps, return -1.0 upright for 0.2 s" in told
    assert "delays in ms: [0.6, 0.6, 0.6]" in told
    assert "ticks: 3 worst wake-up in µs: 42" in told


def test_the_files_and_their_keys_are_those_that_are_written() -> None:
    written = {"result.json", "steps.csv", "trace.npz", results.TWIN, results.OUTPUT, results.ROBOT, results.REPORT}
    assert {row[0] for row in rows("file")} == written
    assert [row[0] for row in rows("key")] == list(Result.__struct_fields__)
    header = recording.steps_csv(recording.EMPTY).decode().strip()
    assert f"Columns of `steps.csv`: `{header}`." in PAGE
    names = re.search(r"Arrays of `trace.npz`: (.*)\.", PAGE)
    assert names
    assert re.findall(r"`(\w+)`", names[1]) == list(TickRecord._fields)


def test_the_spaces_are_as_told() -> None:
    with gymnasium.make("raaspendulum-v1") as env:
        space, action = env.observation_space, env.action_space
        assert isinstance(space, gymnasium.spaces.Box)
        assert isinstance(action, gymnasium.spaces.Box)
        assert [(float(row[3]), float(row[4])) for row in rows("index")] == list(
            zip(space.low, space.high, strict=True)
        )
        assert (space.dtype, space.shape) == (np.float32, (3,))
        assert (float(action.low[0]), float(action.high[0])) == (-2.0, 2.0)
        hanging, info = env.reset()
        assert hanging[0] == pytest.approx(-1.0), "upright is 0"
        assert [row[0] for row in rows("`info`")] == [name for name in info if name != "settle_s"]
        ahead, reward, *_ = env.step([2.0])
        assert ahead[2] > 0.0, "a positive action turns in the positive direction"
        assert float(reward) == pytest.approx(-9.9, abs=0.05)
        assert env.spec
        assert f"truncated after {env.spec.max_episode_steps} steps" in PAGE
    robot = gym_raas.load_robot()
    assert 2.0 * robot.pwm.command_per_action == robot.pwm.range / 2, "half of what the bridge could do"


def test_the_flags_are_those_on_the_wire() -> None:
    told = {row[0]: int(row[1]) for row in rows("flag")}
    assert told == {flag.name: int(flag) for flag in wire.Flag if flag}


def test_the_reward_is_the_tasks() -> None:
    known: dict[str, object] = {}
    exec(PROGRAMS["reward"], known)
    cost = known["cost"]
    assert callable(cost)
    for angle in np.linspace(-9.0, 9.0, 37):
        assert cost(angle, 3.0, -1.5) == pytest.approx(task.cost(float(angle), 3.0, -1.5))
    assert task.cost(math.pi, 0.0, 0.0) == pytest.approx(9.9, abs=0.05)


def test_the_times_are_the_defaults() -> None:
    defaults = {option.key: option.default for option in options()}
    assert f"at least {defaults['realtime.min_hold_s'] * 1000:.0f} ms after that (`realtime.min_hold_s`)" in PAGE
    assert f"`realtime.job_silence_s`, {defaults['realtime.job_silence_s']:g} s" in PAGE
    assert f"`job.limit_s`, {defaults['job.limit_s']:g} s" in PAGE
    assert f"every {task.DT_S * 1000:.0f} ms" in PAGE


def recorded() -> recording.Recording:
    """Four steps upright, half a millisecond from message to duty, and three ticks."""
    steps = [
        StepRecord(k, 50_000 * k + 400, 50_000 * k + 1000, 50_000 * (k + 1), 240, 0.05, 0.0, 0.5, 125.0, 0.25, 0, 0)
        for k in range(4)
    ]
    return recording.Recording(
        steps, recording.columns(TickRecord(1000 * i, 240, 0.0, 0.0, 0, 40 + i, 300) for i in range(3))
    )
