"""What can a picture of a robot be made of? A few shapes with colours, as plain data; `gym_raas.drawing` paints them.

The picture's centre is the origin, x to the right, y up; its edges are 1.45 away.
"""

from __future__ import annotations

from typing import Final, NamedTuple

Point = tuple[float, float]
Colour = tuple[float, float, float]

PAPER: Final = (250.0, 250.0, 248.0)
DIAL: Final = (238.0, 240.0, 243.0)
TICK: Final = (178.0, 186.0, 198.0)
TARGET: Final = (46.0, 160.0, 103.0)
SHADOW: Final = (70.0, 80.0, 100.0)
BODY: Final = (47.0, 72.0, 118.0)
BODY_LIGHT: Final = (94.0, 129.0, 186.0)
TIP: Final = (214.0, 84.0, 61.0)
HUB: Final = (32.0, 38.0, 50.0)
EFFORT: Final = (236.0, 151.0, 31.0)


class Disc(NamedTuple):
    """A filled circle."""

    centre: Point
    radius: float


class Bar(NamedTuple):
    """A thick line with round ends, whose points lie within `radius` of a segment."""

    start: Point
    end: Point
    radius: float


class Arc(NamedTuple):
    """A thick piece of a circle around the origin, from straight up to the angle `end`, counter-clockwise positive."""

    radius: float
    end: float
    half_width: float


class Wedge(NamedTuple):
    """A filled triangle."""

    a: Point
    b: Point
    c: Point


Shape = Disc | Bar | Arc | Wedge


class Mark(NamedTuple):
    """A shape in a colour; its edge is one pixel soft, or `blur` wide."""

    shape: Shape
    colour: Colour
    opacity: float = 1.0
    blur: float = 0.0
