"""How do two curves look in a terminal? Braille dots, two by four in a character: measured faint, fitted bright."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from appliance.calibration.recordings import Series

_BRAILLE: Final = 0x2800
#: Bit of each dot, by row and column inside a character.
_BITS: Final = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


class Piece(NamedTuple):
    """Characters of one colour: of the fitted curve, the measured one, or both."""

    text: str
    fitted: bool


def lines(times_s: Series, measured: Series, fitted: Series, *, width: int = 60, height: int = 8) -> list[list[Piece]]:
    """Both curves over time, each line as pieces; top line first."""
    low = float(min(np.min(measured), np.min(fitted)))
    high = float(max(np.max(measured), np.max(fitted)))
    dots = [_dots(times_s, values, (low, high), width, height) for values in (measured, fitted)]
    return [_pieces(dots[0][row], dots[1][row]) for row in range(height)]


def _dots(times_s: Series, values: Series, ends: tuple[float, float], width: int, height: int) -> list[list[int]]:
    cells = [[0] * width for _ in range(height)]
    columns, rows = 2 * width, 4 * height
    at_s = np.linspace(times_s[0], times_s[-1], columns)
    span = (ends[1] - ends[0]) or 1.0
    places = np.rint((ends[1] - np.interp(at_s, times_s, values)) / span * (rows - 1)).astype(int)
    before = int(places[0])
    for column, row in enumerate(places.tolist()):
        # A steep curve stays one line: every dot between two columns.
        between = range(min(row, before + 1), max(row, before - 1) + 1)
        for each in between:
            cells[each // 4][column // 2] |= _BITS[each % 4][column % 2]
        before = row
    return cells


def _pieces(measured: Sequence[int], fitted: Sequence[int]) -> list[Piece]:
    found: list[Piece] = []
    for under, over in zip(measured, fitted, strict=True):
        character, is_fitted = chr(_BRAILLE | under | over), bool(over)
        if found and found[-1].fitted == is_fitted:
            found[-1] = Piece(found[-1].text + character, is_fitted)
        else:
            found.append(Piece(character, is_fitted))
    return found
