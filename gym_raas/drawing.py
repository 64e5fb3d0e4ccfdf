"""What does a robot look like? Its kind's marks (`gym_raas.marks`), painted anti-aliased from signed distances, in numpy alone."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from gym_raas.kinds.kind import Kind
from gym_raas.marks import PAPER, Arc, Bar, Disc, Mark, Point, Shape, Wedge

Pixels = npt.NDArray[np.float32]
Field = npt.NDArray[np.float32]
#: Distance of each point from a shape's edge, negative inside.
Distance = Callable[[Field, Field], Field]
Box = tuple[slice, slice]

SIZE_PX: Final = 400
_HALF_WIDTH: Final = 1.45  # what fits from the centre to the picture's edge
_PX: Final = 2.0 * _HALF_WIDTH / SIZE_PX


def picture(kind: Kind, angle_rad: float, effort: float) -> npt.NDArray[np.uint8]:
    """A robot at an angle with an effort in [-1, 1], shape (SIZE_PX, SIZE_PX, 3)."""
    pixels = _background(kind.backdrop).copy()
    for mark in kind.sketch(angle_rad, max(-1.0, min(1.0, effort))):
        _paint(pixels, mark)
    return (pixels + 0.5).astype(np.uint8)


@cache
def _grid() -> tuple[Field, Field]:
    """The x and y of every pixel's centre."""
    along = ((np.arange(SIZE_PX) + 0.5) * _PX - _HALF_WIDTH).astype(np.float32)
    return np.meshgrid(along, -along)


@cache
def _background(marks: tuple[Mark, ...]) -> Pixels:
    """Paper, and what never moves."""
    pixels = np.empty((SIZE_PX, SIZE_PX, 3), np.float32)
    pixels[:] = PAPER
    for mark in marks:
        _paint(pixels, mark)
    pixels.flags.writeable = False
    return pixels


def _paint(pixels: Pixels, mark: Mark) -> None:
    """Blend a mark's colour in."""
    x, y = _grid()
    soft = max(_PX, mark.blur)
    corners, distance = _measured(mark.shape)
    box = _box(corners, soft + 2.0 * _PX)
    cover = np.clip(0.5 - distance(x[box], y[box]) / soft, 0.0, 1.0)
    part = pixels[box]
    part += (np.array(mark.colour, np.float32) - part) * (cover * np.float32(mark.opacity))[..., None]


def _measured(shape: Shape) -> tuple[list[Point], Distance]:
    """Two or more corners of a box that holds the shape, and its distance."""
    match shape:
        case Disc(centre, radius):
            return _around(radius, centre), _disc(centre, radius)
        case Bar(start, end, radius):
            return _around(radius, start, end), _capsule(start, end, radius)
        case Arc(radius, end_rad, half_width):
            return _around(radius + half_width, (0.0, 0.0)), _arc(radius, end_rad, half_width)
        case Wedge(a, b, c):
            return [a, b, c], _triangle(a, b, c)


def _around(radius: float, *points: Point) -> list[Point]:
    return [(x + side * radius, y + side * radius) for x, y in points for side in (-1.0, 1.0)]


def _box(corners: list[Point], margin: float) -> Box:
    """The pixels around some points."""
    xs, ys = [x for x, _ in corners], [y for _, y in corners]
    columns = _pixel(min(xs) - margin), _pixel(max(xs) + margin) + 1
    rows = _pixel(-max(ys) - margin), _pixel(-min(ys) + margin) + 1
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
