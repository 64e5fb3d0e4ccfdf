from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gym_raas.actions import as_action


@pytest.mark.parametrize(
    "action",
    [0.5, [0.5], (0.5,), np.float32(0.5), np.array(0.5), np.array([0.5]), np.array([0.5], np.float32), np.float64(0.5)],
)
def test_one_number_in_any_clothes_is_an_action(action: Any) -> None:
    assert as_action(action) == 0.5


@pytest.mark.parametrize("action", [1, [1], np.array([1]), np.int8(1)])
def test_whole_numbers_are_actions(action: Any) -> None:
    assert as_action(action) == 1.0


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_number_comes_through_unchanged(value: float) -> None:
    assert as_action([value]) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused(value: float) -> None:
    for given_action in (value, [value], np.array([value])):
        with pytest.raises(ValueError, match="is not finite; expected is one number"):
            as_action(given_action)


@pytest.mark.parametrize("action", ["left", ["1.0"], None, True, [None], {"u": 1}, 1j, object(), b"1", 10**400])
def test_what_is_no_number_is_refused_and_named(action: Any) -> None:
    with pytest.raises(TypeError, match="is not numeric; expected is one number"):
        as_action(action)


@pytest.mark.parametrize("action", [[], [1.0, 2.0], [[1.0]], np.zeros(3), np.zeros((1, 1))])
def test_a_wrong_shape_is_refused_and_named(action: Any) -> None:
    with pytest.raises(ValueError, match=r"has the shape \(.*expected is one number"):
        as_action(action)


def test_a_ragged_list_is_refused() -> None:
    with pytest.raises(ValueError, match="no regular shape"):
        as_action([[1.0], [1.0, 2.0]])


def test_a_long_action_does_not_flood_the_message() -> None:
    with pytest.raises(ValueError, match="has the shape") as error:
        as_action(list(range(100_000)))
    assert len(str(error.value)) < 300
