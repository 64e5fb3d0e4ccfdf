from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from gym_raas.parameters import MAX_FILE_BYTES, PACKAGED, Robot, RobotFileError, load_robot

RIGHT: dict[str, Any] = yaml.safe_load(PACKAGED.read_text())
MISSING = object()


def changed(key: str, value: object) -> dict[str, Any]:
    content = copy.deepcopy(RIGHT)
    *sections, last = key.split(".")
    place = content
    for section in sections:
        place = place[section]
    if value is MISSING:
        del place[last]
    else:
        place[last] = value
    return content


def written(path: Path, content: object) -> Path:
    path.write_text(yaml.safe_dump(content))
    return path


def test_the_packaged_robot_loads() -> None:
    robot = load_robot()
    assert isinstance(robot, Robot)
    assert robot.model.gravity_rad_s2 == pytest.approx(29.59, abs=0.01)
    assert len(robot.parameter_hash) == 16


def test_a_changed_parameter_changes_the_hash_and_a_changed_name_does_not(tmp_path: Path) -> None:
    renamed = load_robot(written(tmp_path / "a.yaml", changed("name", "other")))
    stronger = load_robot(written(tmp_path / "b.yaml", changed("model.gravity_rad_s2", 30)))
    assert renamed.parameter_hash == load_robot().parameter_hash != stronger.parameter_hash


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("model.gravity_rad_s2", "strong", "'strong' given; expected is a number from 1 to 500"),
        ("model.gravity_rad_s2", 0.5, "0.5 given; expected is a number from 1 to 500"),
        ("model.gravity_rad_s2", float("nan"), "nan given; expected is a number from 1 to 500"),
        ("model.gravity_rad_s2", 10**400, "given; expected is a number from 1 to 500"),
        ("model.gravity_rad_s2", True, "True given; expected is a number"),
        ("model.gravity_rad_s2", MISSING, "missing; expected is a number from 1 to 500"),
        ("encoder.counts_per_turn", 480.5, "480.5 given; expected is a whole number from 4 to 100000"),
        ("pwm.mode", "magic", "'magic' given; expected is 'software' or 'hardware'"),
        ("schema", 2, "2 given; expected is 1"),
        ("kind", "boat", "'boat' given; expected is 'pendulum' or 'cart'"),
        ("name", "", "'' given; expected is a text of 1 to 40 characters"),
        ("model", [1, 2], "[1, 2] given; expected is a mapping of keys"),
        ("pins", MISSING, "missing; expected is a mapping of keys"),
        ("fitted", 7, "7 given; expected is a mapping of keys"),
        ("model.mass", 1.0, "unknown key; known are gravity_rad_s2"),
        ("colour", "red", "unknown key; known are schema"),
    ],
)
def test_a_bad_value_is_named_with_file_key_and_what_is_right(
    tmp_path: Path, key: str, value: object, says: str
) -> None:
    path = written(tmp_path / "robot.yaml", changed(key, value))
    with pytest.raises(RobotFileError) as error:
        load_robot(path)
    assert str(error.value).startswith(f"{path}: {key}: ")
    assert says in str(error.value)


def test_keys_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RobotFileError, match="four different pins"):
        load_robot(written(tmp_path / "a.yaml", changed("pins.backward", RIGHT["pins"]["forward"])))
    with pytest.raises(RobotFileError, match=r"limits\.action: 5 given.*at most 4"):
        load_robot(written(tmp_path / "b.yaml", changed("limits.action", 5.0)))


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"model: {", "can't be read as YAML"),
        (b"\xff\xfe\x00", "can't be read as YAML"),
        (b"- 1\n- 2\n", "expected is a mapping of keys"),
        (b"", "None given; expected is a mapping of keys"),
        (b"schema: 1\nschema: 1\n", "the key 'schema' stands twice"),
        (b"a: !!python/object/apply:os.system [id]", "can't be read as YAML"),
        (b"x" * (MAX_FILE_BYTES + 1), "longer than"),
        (b"[" * 5000, "can't be read as YAML"),
    ],
    ids=["broken", "bytes", "list", "empty", "twice", "code", "huge", "deep"],
)
def test_what_is_no_robot_file_is_refused(tmp_path: Path, raw: bytes, says: str) -> None:
    path = tmp_path / "robot.yaml"
    path.write_bytes(raw)
    with pytest.raises(RobotFileError, match=says):
        load_robot(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RobotFileError, match=r"absent\.yaml"):
        load_robot(tmp_path / "absent.yaml")
