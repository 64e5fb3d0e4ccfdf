"""One body of tests over every kind of robot, as a program meets it."""

from __future__ import annotations

import copy
import math
import pickle
from pathlib import Path

import gym
import gymnasium
import numpy as np
import pytest
import yaml
from gymnasium.utils.env_checker import check_env

import gym_raas  # noqa: F401 - registers the environments
from appliance.calibration.judgement import calibrate
from appliance.calibration.recordings import BadRecording
from appliance.calibration.scoring import score
from gym_raas import errors, plants
from gym_raas.imperfections import Imperfections
from gym_raas.kinds.kind import Kind
from gym_raas.kinds.known import KINDS, PENDULUM
from gym_raas.parameters import RobotFileError, load_robot, packaged
from gym_raas.registration import ids
from gym_raas.robot_client import RobotClient
from tests.gym_raas.stand_in import StandIn

every_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
CART = KINDS["cart"]


@every_kind
def test_the_packaged_robot_is_of_its_kind(kind: Kind) -> None:
    robot = load_robot(packaged(kind))
    assert robot.kind == kind.name
    assert isinstance(robot.model, kind.model)
    assert abs(kind.home_rad) < kind.range_rad(robot.model)


@every_kind
def test_both_faces_are_there_by_name(kind: Kind) -> None:
    for name in ids(kind.name, 0):
        assert gym.make(name).reset().shape == (len(kind.task.columns),)
    for name in ids(kind.name, 1):
        observation, _ = gymnasium.make(name).reset()
        assert observation == pytest.approx(kind.task.observation(*kind.home), abs=1e-6)


@every_kind
@pytest.mark.filterwarnings("ignore")
def test_gymnasium_finds_nothing_wrong(kind: Kind) -> None:
    check_env(gymnasium.make(ids(kind.name, 1)[0], disable_env_checker=True).unwrapped)


@every_kind
def test_cost_and_observation_agree_with_the_task(kind: Kind) -> None:
    env = gymnasium.make(ids(kind.name, 1)[0]).unwrapped
    env.reset(seed=3, options={"start": "random"})
    before = env._driver.last
    observation, reward, *_ = env.step([0.5])
    after = env._driver.last
    assert reward == -kind.task.cost(before.angle_rad, before.velocity_rad_s, 0.5)
    assert observation == pytest.approx(kind.task.observation(after.angle_rad, after.velocity_rad_s))
    assert kind.task.cost(0.0, 0.0, 0.0) == 0.0 < kind.task.cost(*kind.home, 0.0)


@every_kind
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_a_copy_steps_as_the_original(kind: Kind, copied: object) -> None:
    env = gymnasium.make(ids(kind.name, 1)[0])
    env.reset()
    env.step([1.0])
    other = copied(env)  # type: ignore[operator]
    assert np.array_equal(env.step([1.0])[0], other.step([1.0])[0])


def test_many_carts_step_as_one() -> None:
    many = gymnasium.make_vec("raascart-v1", num_envs=2)
    one = gymnasium.make("raascart-v1")
    many.reset()
    one.reset()
    observation, *_ = one.step([1.5])
    assert many.step([[1.5], [1.5]])[0] == pytest.approx(np.array([observation, observation]), abs=1e-6)


@every_kind
def test_imperfections_are_possible(kind: Kind) -> None:
    env = gymnasium.make(ids(kind.name, 1)[0], imperfections=Imperfections(encoder=True, delay_s=0.002))
    env.reset(seed=1)
    env.step([2.0])
    turned = (env.unwrapped._driver.last.angle_rad - kind.home_rad) / load_robot().encoder.rad_per_count
    assert turned == pytest.approx(round(turned), abs=1e-6)


@pytest.mark.parametrize(("kind", "other"), [(PENDULUM, CART), (CART, PENDULUM)], ids=["cart", "pendulum"])
def test_a_robot_of_another_kind_is_refused_with_the_name_to_use(kind: Kind, other: Kind) -> None:
    with pytest.raises(RobotFileError, match=f"make 'raas{other.name}-v1'"):
        gymnasium.make(ids(kind.name, 1)[0], robot=packaged(other))


def test_a_program_for_a_cart_is_told_that_this_is_a_pendulum(
    gateway: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAAS_ROBOT", gateway.address)
    with pytest.raises(errors.WrongKind, match=r"this robot is a pendulum .* make 'raaspendulum-v1'"):
        gymnasium.make("raascart-v1")
    plants.choose(PENDULUM).close()  # and has let go of it


def test_a_kind_that_only_the_appliance_knows_is_named(gateway: StandIn) -> None:
    gateway.kind = "submarine"
    with pytest.raises(errors.WrongKind, match=r"no robot of kind 'submarine', only 'pendulum' or 'cart'"):
        RobotClient(gateway.address)


def test_an_unknown_kind_is_refused_with_those_that_are_known(tmp_path: Path) -> None:
    content = yaml.safe_load(packaged(CART).read_text())
    for kind in ("submarine", "", 3, None, ["cart"], {"cart": 1}):
        (tmp_path / "robot.yaml").write_text(yaml.safe_dump(content | {"kind": kind}))
        with pytest.raises(RobotFileError, match=r"kind: .* given; expected is 'pendulum' or 'cart'"):
            load_robot(tmp_path / "robot.yaml")


def test_constants_of_another_kind_are_refused_by_name(tmp_path: Path) -> None:
    content = yaml.safe_load(packaged(CART).read_text())
    (tmp_path / "robot.yaml").write_text(yaml.safe_dump(content | {"kind": "pendulum"}))
    with pytest.raises(RobotFileError, match=r"model\.end_zone_m: unknown key; known are gravity_rad_s2"):
        load_robot(tmp_path / "robot.yaml")


def test_a_simple_policy_brings_the_cart_to_the_middle() -> None:
    env = gymnasium.make("raascart-v1")
    (position_m, velocity_m_s), _ = env.reset()
    assert position_m == pytest.approx(-0.12)
    for _ in range(60):
        (position_m, velocity_m_s), *_ = env.step([np.clip(-60.0 * position_m - 4.0 * velocity_m_s, -2.0, 2.0)])
    assert abs(position_m) < 0.02
    assert math.isclose(velocity_m_s, 0.0, abs_tol=0.01)


def test_a_cart_is_neither_calibrated_nor_scored_but_named(tmp_path: Path) -> None:
    robot = load_robot(packaged(CART))
    for refused in (lambda: calibrate(robot, []), lambda: score(robot, [tmp_path / "recording.csv"])):
        with pytest.raises(BadRecording, match="'packaged cart' is a cart, and only a pendulum can be calibrated"):
            refused()
