from __future__ import annotations

import math
import time

import numpy as np
import pytest

from gym_raas.drawing import SIZE_PX
from gym_raas.drawing import picture as drawn
from gym_raas.kinds.kind import Kind
from gym_raas.kinds.known import KINDS, PENDULUM

TIP_COLOUR = np.array([214, 84, 61])
EFFORT_COLOUR = np.array([236, 151, 31])


def picture(angle_rad: float, effort: float) -> np.ndarray:
    return drawn(PENDULUM, angle_rad, effort)


def centre_of(image: np.ndarray, colour: np.ndarray) -> tuple[float, float]:
    """(x, y) of a colour's pixels from the picture's centre, y up."""
    rows, columns = np.nonzero((np.abs(image.astype(int) - colour) < 12).all(axis=2))
    assert len(rows) > 20
    return float(columns.mean() - SIZE_PX / 2), float(SIZE_PX / 2 - rows.mean())


@pytest.mark.parametrize("angle", np.linspace(-math.pi, math.pi, 13))
def test_the_tip_is_where_the_angle_says(angle: float) -> None:
    x, y = centre_of(picture(angle, 0.0), TIP_COLOUR)
    assert math.atan2(-x, y) == pytest.approx(angle, abs=0.05) or abs(abs(angle) - math.pi) < 1e-9 > y


def test_an_effort_turns_the_way_it_pushes() -> None:
    left, _ = centre_of(picture(math.pi, 0.5), EFFORT_COLOUR)
    right, _ = centre_of(picture(math.pi, -0.5), EFFORT_COLOUR)
    assert left < -5.0 < 5.0 < right


def test_mirrored_states_are_mirrored_arcs() -> None:
    none = picture(math.pi, 0.0)
    assert not ((np.abs(none.astype(int) - EFFORT_COLOUR) < 12).all(axis=2)).any()


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("angle", [1e6, -1e6, 0.0])
@pytest.mark.parametrize("effort", [-5.0, 1.0, 1e-9])
def test_any_state_can_be_drawn(kind: Kind, angle: float, effort: float) -> None:
    image = drawn(kind, angle, effort)
    assert image.shape == (SIZE_PX, SIZE_PX, 3)
    assert image.dtype == np.uint8


def test_a_picture_takes_milliseconds() -> None:
    picture(0.0, 1.0)
    start_s = time.perf_counter()
    for step in range(20):
        picture(0.3 * step, 1.0)
    assert (time.perf_counter() - start_s) / 20 < 0.1


@pytest.mark.parametrize("position_m", [-0.12, 0.0, 0.15])
def test_the_cart_is_where_its_position_says(position_m: float) -> None:
    x, _ = centre_of(drawn(KINDS["cart"], position_m / 0.02, 0.0), TIP_COLOUR)
    assert x / (SIZE_PX / 2.9) / 5.0 == pytest.approx(position_m, abs=0.005)
