"""What does the pendulum look like? Anti-aliased shapes from signed distances, in numpy alone.

Coordinates: the axle is the origin, the arm has length 1, x to the right, y up. Like gym's Pendulum, a positive
angle turns the arm to the left of upright and a positive action pushes that way (counter-clockwise).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]
Field = npt.NDArray[np.float32]
#: Distance of each point from a shape's edge, negative inside.
Distance = Callable[[Field, Field], Field]

SIZE_PX: Final = 400
_HALF_WIDTH: Final = 1.45  # what fits from the centre to the picture's edge
_PX: Final = 2.0 * _HALF_WIDTH / SIZE_PX

_PAPER = (250.0, 250.0, 248.0)
_DIAL = (238.0, 240.0, 243.0)
_TICK = (178.0, 186.0, 198.0)
_TARGET = (46.0, 160.0, 103.0)
_SHADOW = (70.0, 80.0, 100.0)
_ARM = (47.0, 72.0, 118.0)
_ARM_LIGHT = (94.0, 129.0, 186.0)
_TIP = (214.0, 84.0, 61.0)
_HUB = (32.0, 38.0, 50.0)
_EFFORT = (236.0, 151.0, 31.0)


def picture(angle_rad: float, effort: float) -> npt.NDArray[np.uint8]:
    """The pendulum at an angle (0 upright) with an effort in [-1, 1], shape (SIZE_PX, SIZE_PX, 3)."""
    pixels = _background().copy()
    tip = (-math.sin(angle_rad), math.cos(angle_rad))
    below = (tip[0] + 0.03, tip[1] - 0.04)
    _paint(pixels, _capsule((0.03, -0.04), below, 0.075), _box((0.03, -0.04), below, 0.2), _SHADOW, 0.18, 0.08)
    _paint(pixels, _capsule((0.0, 0.0), tip, 0.07), _box((0.0, 0.0), tip, 0.1), _ARM)
    _paint(pixels, _capsule((0.0, 0.0), tip, 0.028), _box((0.0, 0.0), tip, 0.1), _ARM_LIGHT, 0.8, 0.03)
    _paint(pixels, _disc(tip, 0.115), _box(tip, tip, 0.14), _TIP)
    _paint(pixels, _disc((tip[0] - 0.03, tip[1] + 0.035), 0.03), _box(tip, tip, 0.14), _PAPER, 0.45, 0.04)
    if abs(effort) > 0.01:
        _paint_effort(pixels, max(-1.0, min(1.0, effort)))
    _paint(pixels, _disc((0.0, 0.0), 0.12), _box((0.0, 0.0), (0.0, 0.0), 0.14), _HUB)
    _paint(pixels, _disc((0.0, 0.0), 0.045), _box((0.0, 0.0), (0.0, 0.0), 0.06), _DIAL)
    return (pixels + 0.5).astype(np.uint8)


@cache
def _grid() -> tuple[Field, Field]:
    """The x and y of every pixel's centre."""
    along = ((np.arange(SIZE_PX) + 0.5) * _PX - _HALF_WIDTH).astype(np.float32)
    return np.meshgrid(along, -along)


@cache
def _background() -> Pixels:
    """What never moves: paper, dial, ticks and the mark at the top."""
    pixels = np.empty((SIZE_PX, SIZE_PX, 3), np.float32)
    pixels[:] = _PAPER
    _paint(pixels, _disc((0.0, 0.0), 1.28), _EVERYWHERE, _DIAL)
    _paint(pixels, _disc((0.0, 0.0), 1.2), _EVERYWHERE, _PAPER)
    for index in range(36):
        turn = math.radians(10 * index)
        x, y = -math.sin(turn), math.cos(turn)
        inner, width = (1.2, 0.009) if index % 3 == 0 else (1.235, 0.005)
        ends = (x * inner, y * inner), (x * 1.265, y * 1.265)
        _paint(pixels, _capsule(*ends, width), _box(*ends, 0.03), _TICK)
    _paint(pixels, _disc((0.0, 1.32), 0.035), _box((0.0, 1.32), (0.0, 1.32), 0.06), _TARGET)
    pixels.flags.writeable = False
    return pixels


def _paint_effort(pixels: Pixels, effort: float) -> None:
    """An arc around the axle, as long as the effort is big, with an arrow head at its end."""
    radius, end = 0.34, 2.4 * effort  # from straight up, counter-clockwise is positive
    around = _box((0.0, 0.0), (0.0, 0.0), 0.5)
    _paint(pixels, _arc(radius, end, 0.026), around, _EFFORT)
    at = (-math.sin(end), math.cos(end))
    ahead = math.copysign(0.15, effort)
    point = (radius * at[0] - ahead * at[1], radius * at[1] + ahead * at[0])
    corners = (
        point,
        (at[0] * (radius - 0.085), at[1] * (radius - 0.085)),
        (at[0] * (radius + 0.085), at[1] * (radius + 0.085)),
    )
    _paint(pixels, _triangle(*corners), around, _EFFORT)


Point = tuple[float, float]
Box = tuple[slice, slice]
_EVERYWHERE: Final = (slice(None), slice(None))


def _paint(
    pixels: Pixels, distance: Distance, box: Box, colour: tuple[float, ...], opacity: float = 1.0, blur: float = 0.0
) -> None:
    """Blend a shape's colour in; the edge is one pixel soft, or `blur` wide."""
    x, y = _grid()
    soft = max(_PX, blur)
    cover = np.clip(0.5 - distance(x[box], y[box]) / soft, 0.0, 1.0)
    part = pixels[box]
    part += (np.array(colour, np.float32) - part) * (cover * np.float32(opacity))[..., None]


def _box(start: Point, end: Point, margin: float) -> Box:
    """The pixels around a segment."""
    left, right = sorted((start[0], end[0]))
    bottom, top = sorted((start[1], end[1]))
    columns = _pixel(left - margin), _pixel(right + margin) + 1
    rows = _pixel(-top - margin), _pixel(-bottom + margin) + 1
    return slice(*rows), slice(*columns)


def _pixel(along: float) -> int:
    return max(0, min(SIZE_PX, int((along + _HALF_WIDTH) / _PX)))


def _disc(centre: Point, radius: float) -> Distance:
    return lambda x, y: np.hypot(x - np.float32(centre[0]), y - np.float32(centre[1])) - np.float32(radius)


def _capsule(start: Point, end: Point, radius: float) -> Distance:
    """A thick line with round ends."""
    along_x, along_y = end[0] - start[0], end[1] - start[1]
    square = along_x * along_x + along_y * along_y

    def distance(x: Field, y: Field) -> Field:
        from_x, from_y = x - np.float32(start[0]), y - np.float32(start[1])
        share = np.clip((from_x * along_x + from_y * along_y) / square, 0.0, 1.0)
        return np.hypot(from_x - share * along_x, from_y - share * along_y) - np.float32(radius)

    return distance


def _arc(radius: float, end: float, half_width: float) -> Distance:
    """A thick piece of a circle from straight up to the angle `end`."""
    middle, half = 0.5 * end, 0.5 * abs(end)

    def distance(x: Field, y: Field) -> Field:
        turn = np.abs((np.arctan2(-x, y) - middle + math.pi) % (2.0 * math.pi) - math.pi)
        beyond = np.maximum(turn - half, 0.0) * radius
        return np.hypot(np.hypot(x, y) - radius, beyond) - np.float32(half_width)

    return distance


def _triangle(*corners: Point) -> Distance:
    """The inside of three edges, whichever way round they are given."""
    (ax, ay), (bx, by), (cx, cy) = corners
    side = math.copysign(1.0, (bx - ax) * (cy - ay) - (by - ay) * (cx - ax))

    def distance(x: Field, y: Field) -> Field:
        edges = []
        for (px, py), (qx, qy) in zip(corners, corners[1:] + corners[:1], strict=True):
            length = math.hypot(qx - px, qy - py)
            edges.append(((y - py) * (qx - px) - (x - px) * (qy - py)) * (-side / length))
        return np.maximum(np.maximum(edges[0], edges[1]), edges[2])

    return distance
