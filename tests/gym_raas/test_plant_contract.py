"""One body of tests over everything that can be driven: the simulation, and a client of a gateway."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gym_raas import plants
from gym_raas.kinds.known import KINDS, PENDULUM
from gym_raas.parameters import load_robot, packaged
from gym_raas.physics import State
from gym_raas.plant import Plant
from gym_raas.robot_client import RobotClient
from gym_raas.simulation import SimulatedPlant
from gym_raas.wire import Flag, ResetMode


@pytest.fixture(params=[*KINDS, "client"])
def plant(request: pytest.FixtureRequest) -> Iterator[Plant]:
    made: Plant
    if request.param in KINDS:
        made = SimulatedPlant(load_robot(packaged(KINDS[request.param])))
    else:
        made = RobotClient(request.getfixturevalue("gateway").address)
    yield made
    made.close()


def test_it_rests_at_home_until_it_is_driven(plant: Plant) -> None:
    reading = plant.read()
    assert (reading.angle_rad, reading.velocity_rad_s, reading.k) == (plant.kind.home_rad, 0.0, 0)


def test_steps_are_counted_from_one_and_readings_advance_nothing(plant: Plant) -> None:
    first = plant.step(2.0)
    assert first.k == 1
    assert first.angle_rad > plant.kind.home_rad
    assert plant.read()[:3] == first[:3]
    assert plant.step(2.0).k == 2


def test_an_action_beyond_the_limit_is_clipped_and_flagged(plant: Plant) -> None:
    clipped = plant.step(50.0)
    assert clipped.flags & Flag.CLAMPED_ACTION
    plant.reset(ResetMode.SETTLE)
    exact = plant.step(2.0)
    assert not exact.flags & Flag.CLAMPED_ACTION
    assert clipped[:2] == exact[:2]


def test_a_step_reports_the_command_at_the_bridge(plant: Plant) -> None:
    assert [plant.step(action).command for action in (2.0, -2.0, 0.1)] == [480.0, -480.0, 0.0]


def test_reset_starts_the_count_anew(plant: Plant) -> None:
    plant.step(2.0)
    assert plant.reset(ResetMode.MOTOR_OFF).k == 0
    assert plant.step(0.0).k == 1


def test_a_settled_reset_says_so(plant: Plant) -> None:
    reading = plant.reset(ResetMode.SETTLE)
    assert reading.flags & Flag.SETTLED
    assert reading.duration_s >= 0.0


def test_a_plant_that_can_be_placed_starts_where_it_is_told(plant: Plant) -> None:
    reading = plant.reset(ResetMode.MOTOR_OFF, State(1.0, -2.0))
    expected = (1.0, -2.0) if plant.can_be_placed else plant.kind.home
    assert reading[:2] == expected


def test_close_any_number_of_times(plant: Plant) -> None:
    plant.close()
    plant.close()


def test_the_robot_is_found_by_variable_or_folder(tmp_path: object) -> None:
    folder = plants.Path(str(tmp_path))
    assert plants.robot_address({}, folder / "absent") is None
    assert plants.robot_address({}, folder) == f"ipc://{folder}/robot"
    assert plants.robot_address({"RAAS_ROBOT": "ipc:///x"}, folder) == "ipc:///x"


def test_naming_a_robot_file_asks_for_its_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAAS_ROBOT", "ipc:///nobody/there")
    assert isinstance(plants.choose(PENDULUM, load_robot()), SimulatedPlant)
