"""A fit that was taken lies over robot.file in its constants alone, whoever writes the page's file; and one can go back."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from appliance.calibration import in_use, robot_file
from appliance.calibration.in_use import Taken
from appliance.care import robot_look
from appliance.errors import Conflict
from appliance.paths import Paths
from gym_raas.parameters import PACKAGED, Robot, RobotFileError, load_robot
from tests.runner_house import House

BASE = load_robot()


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths.of(tmp_path)


def fit(gain: float, robot: Robot = BASE) -> str:
    """A fit's file, told by its gain."""
    return robot_file.text(replace(robot, model=replace(robot.model, gain_rad_s2_per_command=gain)))


def take(paths: Paths, content: str) -> None:
    in_use.take(PACKAGED, paths, content, job="j", by="the owner", at_s=1.0)


def gain(paths: Paths, file: Path = PACKAGED) -> float:
    return float(in_use.load(file, paths).robot.model.gain_rad_s2_per_command)


def put(paths: Paths, content: Any) -> None:
    """What a page that was taken over would write."""
    in_use.path(paths).parent.mkdir(exist_ok=True)
    in_use.path(paths).write_text(content if isinstance(content, str) else json.dumps(content))


def test_until_one_is_taken_robot_file_holds(paths: Paths) -> None:
    found = in_use.load(PACKAGED, paths)
    assert (found.robot, found.content, found.taken, found.problem) == (BASE, PACKAGED.read_bytes(), None, "")


def test_what_was_taken_holds_and_one_goes_back_step_by_step(paths: Paths) -> None:
    take(paths, fit(0.03))
    take(paths, fit(0.04))
    found = in_use.load(PACKAGED, paths)
    assert found.content == fit(0.04).encode()
    assert found.before is not None
    assert (gain(paths), found.before.model.gain_rad_s2_per_command) == (0.04, 0.03)
    in_use.go_back(PACKAGED, paths)
    assert gain(paths) == 0.03
    in_use.go_back(PACKAGED, paths)
    assert in_use.load(PACKAGED, paths).robot == BASE
    with pytest.raises(Conflict, match="nothing to go back from"):
        in_use.go_back(PACKAGED, paths)


def test_only_the_newest_are_kept(paths: Paths) -> None:
    for number in range(12):
        take(paths, fit(round(0.03 + 0.001 * number, 3)))
    assert len(json.loads(in_use.path(paths).read_text())) == 10
    assert gain(paths) == 0.041


@pytest.mark.parametrize("section", ["pins", "limits", "encoder", "pwm", "name"])
def test_whoever_writes_the_file_reaches_constants_alone(paths: Paths, section: str) -> None:
    content = yaml.safe_load(fit(0.03))
    other = {
        "pins": {"forward": 5}, "limits": {"speed_rad_s": 100.0}, "encoder": {"counts_per_turn": 500}, "pwm": {"frequency_hz": 900},
    }  # fmt: skip
    content[section] = content[section] | other[section] if section in other else "another"
    evil = yaml.safe_dump(content)
    with pytest.raises(Conflict, match="other pins, limits"):
        take(paths, evil)
    put(paths, [{"at_s": 1.0, "by": "x", "job": "j", "over": BASE.parameter_hash, "robot_yaml": evil}])
    found = in_use.load(PACKAGED, paths)
    assert (found.robot, found.content) == (BASE, PACKAGED.read_bytes())
    assert "other pins, limits" in found.problem


@pytest.mark.parametrize(
    "content",
    [
        "",
        "no",
        "{}",
        "[1]",
        '[{"at_s": 1}]',
        "[" * 5000,
        '[{"at_s":1,"by":"","job":"","over":"","robot_yaml":"","x":1}]',
    ],
)
def test_a_broken_file_stops_nobody_and_is_told(paths: Paths, content: str) -> None:
    put(paths, content)
    found = in_use.load(PACKAGED, paths)
    assert found.robot == BASE
    assert "can't be used" in found.problem
    take(paths, fit(0.03))
    assert gain(paths) == 0.03


def test_neither_a_link_nor_a_pipe_is_followed(paths: Paths, tmp_path: Path) -> None:
    in_use.path(paths).parent.mkdir()
    secret = tmp_path / "secret"
    secret.write_text("[]")
    in_use.path(paths).symlink_to(secret)
    assert "can't be used" in in_use.load(PACKAGED, paths).problem
    in_use.path(paths).unlink()
    os.mkfifo(in_use.path(paths))
    assert "can't be used" in in_use.load(PACKAGED, paths).problem


def test_absurd_constants_are_left_out(paths: Paths) -> None:
    evil = fit(0.03).replace("gain_rad_s2_per_command: 0.03", "gain_rad_s2_per_command: .inf")
    put(paths, [{"at_s": 1.0, "by": "x", "job": "j", "over": BASE.parameter_hash, "robot_yaml": evil}])
    found = in_use.load(PACKAGED, paths)
    assert found.robot == BASE
    assert "gain_rad_s2_per_command" in found.problem


def test_another_robot_file_has_decided_anew(paths: Paths, tmp_path: Path) -> None:
    take(paths, fit(0.03))
    new = tmp_path / "robot.yaml"
    new.write_text(fit(0.05))
    found = in_use.load(new, paths)
    assert found.robot.model.gain_rad_s2_per_command == 0.05
    assert "changed since" in found.problem
    assert gain(paths) == 0.03


def test_a_broken_robot_file_is_refused_whatever_was_taken(paths: Paths, tmp_path: Path) -> None:
    take(paths, fit(0.03))
    broken = tmp_path / "robot.yaml"
    broken.write_text("schema: 1\n")
    with pytest.raises(RobotFileError):
        in_use.load(broken, paths)


def test_what_was_taken_is_kept_with_who_and_when(paths: Paths) -> None:
    take(paths, fit(0.03))
    assert in_use.load(PACKAGED, paths).taken == Taken(1.0, "the owner", "j", BASE.parameter_hash, fit(0.03))


def test_the_doctor_knows_whether_this_robot_was_ever_fitted(paths: Paths) -> None:
    paths.config.write_text("robot: {link: pigpiod}\n")
    assert not robot_look.settings(paths.config, paths)[1].is_fitted
    take(paths, fit(0.03))
    _, seen = robot_look.settings(paths.config, paths)
    assert (seen.is_fitted, seen.robot_taken) == (True, "the fit of job j, taken on the page")
    put(paths, "no")
    assert "can't be used" in robot_look.settings(paths.config, paths)[1].robot_left_out


def test_the_next_job_has_what_was_taken_in_its_results(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.start()
    try:
        before = house.until_final(house.submit())
        take(house.paths, fit(0.03))
        after = house.until_final(house.submit())
    finally:
        house.close()
    assert (house.paths.attempt(before.id, 1) / "robot.yaml").read_bytes() == PACKAGED.read_bytes()
    assert (house.paths.attempt(after.id, 1) / "robot.yaml").read_text() == fit(0.03)
