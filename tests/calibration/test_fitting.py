"""Fits of recordings whose truth is known: made by MuJoCo, which shares nothing with the model under test."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from appliance.calibration import fitting, prediction, recordings
from appliance.calibration.fitting import Fit
from appliance.calibration.prediction import Start
from gym_raas.model import Model
from gym_raas.parameters import load_robot
from tests.calibration import independent

GIVEN = Path(__file__).with_name("recordings")
MODEL = load_robot().model
NAMES = (
    "gravity_rad_s2", "viscous_per_s", "coulomb_rad_s2", "back_emf_per_s", "gain_rad_s2_per_command", "dead_zone_command",
)  # fmt: skip


def drawn(rng: np.random.Generator) -> Model:
    """A unit that differs from the packaged one by up to 20 % in everything."""
    return dataclasses.replace(MODEL, **{name: getattr(MODEL, name) * rng.uniform(0.8, 1.2) for name in NAMES})


def fitted(folder: Path, seed: int) -> tuple[Model, Fit]:
    rng = np.random.default_rng(seed)
    true = drawn(rng)
    files = independent.record(folder, true, rng, counts=(445, 480)[seed % 2])
    return true, fitting.fit(MODEL, [run for file in files for run in recordings.read(file)])


def relative_width(fit: Fit, name: str) -> float:
    (found,) = [each for each in fit.estimates if each.name == name]
    return (found.high - found.low) / found.value


def covered(true: Model, fit: Fit) -> list[bool]:
    return [each.low <= getattr(true, each.name) <= each.high for each in fit.estimates]


@pytest.mark.parametrize("seed", [0, 1])
def test_constants_of_an_independent_simulator_are_found_within_their_intervals(tmp_path: Path, seed: int) -> None:
    true, fit = fitted(tmp_path, seed)
    assert sum(covered(true, fit)) >= 5
    assert relative_width(fit, "gravity_rad_s2") <= 0.02
    assert relative_width(fit, "gain_rad_s2_per_command") <= 0.10
    assert relative_width(fit, "dead_zone_command") <= 0.10


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_95_percent_intervals_cover_as_often_as_they_say(tmp_path: Path) -> None:
    hits, widths = [], []
    for seed in range(40):
        true, fit = fitted(tmp_path, seed)
        hits += covered(true, fit)
        widths.append(
            [relative_width(fit, f"{n}") for n in ("gravity_rad_s2", "gain_rad_s2_per_command", "dead_zone_command")]
        )
    share, typical = float(np.mean(hits)), np.median(widths, axis=0)
    print(
        f"cover {share:.3f}, median widths: gravity {typical[0]:.4f} gain {typical[1]:.4f} dead zone {typical[2]:.4f}"
    )
    assert 0.90 <= share <= 0.99
    assert np.all(typical <= (0.02, 0.10, 0.10))


def test_the_given_recordings_say_which_constants_they_cannot_tell_apart() -> None:
    runs = [run for name in ("free_swing", "driven_sideways") for run in recordings.read(GIVEN / f"{name}.csv")]
    fit = fitting.fit(MODEL, runs)
    assert ("viscous_per_s", "coulomb_rad_s2") in [(first, second) for first, second, _ in fit.alike]
    assert "brake_per_s" not in [each.name for each in fit.estimates]
    assert fit.model.brake_per_s == MODEL.brake_per_s


def test_driving_on_its_side_alone_cannot_tell_friction_from_dead_zone() -> None:
    fit = fitting.fit(MODEL, recordings.read(GIVEN / "driven_sideways.csv"))
    told = {each.name: each.told for each in fit.estimates}
    assert not told["coulomb_rad_s2"]
    assert told["gain_rad_s2_per_command"]
    assert ("coulomb_rad_s2", "dead_zone_command") in [(first, second) for first, second, _ in fit.alike]
    assert "gravity_rad_s2" not in told


def test_a_free_swing_leaves_the_motor_as_it_was() -> None:
    present = dataclasses.replace(MODEL, gravity_rad_s2=26.0, gain_rad_s2_per_command=0.03)
    fit = fitting.fit(present, recordings.read(GIVEN / "free_swing.csv"))
    assert fit.model.gain_rad_s2_per_command == 0.03
    assert fit.model.gravity_rad_s2 == pytest.approx(29.56, abs=0.3)


@given(st.floats(), st.floats(), st.floats(0.0, 0.04))
@example(0.0, 1e80, 0.0)
def test_a_search_may_try_any_start(angle_rad: float, velocity_rad_s: float, delay_s: float) -> None:
    (run, *_) = recordings.read(GIVEN / "driven_sideways.csv")
    run = dataclasses.replace(run, sideways=False)
    found = prediction.angles(MODEL, run, Start(angle_rad, velocity_rad_s, 0.0), delay_s)
    assert found.shape == run.times_s.shape
    assert np.array_equal(found[:1], [angle_rad], equal_nan=True)
