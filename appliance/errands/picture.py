"""What does one moment of a run look like? The dial of the web page, and below it the angle over the whole run.

0° is upright, positive angles turn left, as gym draws it. Drawn twice as large and made smaller, for smooth edges.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from appliance.errands.course import Course

WIDTH: Final = 360
HEIGHT: Final = 452
#: The page's colours in the light (webui/static/style.css).
_GROUND, _SUNKEN, _LINE, _INK, _INK_3 = "#fdfdfc", "#eef0ec", "#c3cac5", "#14191c", "#5d686e"
_ANGLE, _ACTION, _GOOD = "#0a6c8c", "#7443b8", "#1d7146"
_FAINT: Final = "#b5d0d8"
_TRAIL: Final = ("#7fb2c3", "#a3c8d4", "#c6dde4")
_SCALE: Final = 2
_DIAL: Final = 340  # side of the square that the dial stands in
_CENTRE: Final = 170.0
_RIM, _ROD, _BOB, _PUSH = 137.0, 110.0, 17.0, 71.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 348, 372, 436
_GHOST_S: Final = 0.035
_LIMIT: Final = 2.0


@dataclass(frozen=True)
class Scene:
    """Everything that is the same in all pictures of a run."""

    course: Course
    dial: Image.Image
    before: Image.Image
    after: Image.Image


def scene(course: Course) -> Scene:
    """Draw what doesn't move, once."""
    canvas = Image.new("RGB", (WIDTH, HEIGHT), _GROUND)
    draw = ImageDraw.Draw(canvas)
    low, high = _bounds(course)
    font = ImageFont.load_default(11)
    for angle in (low, high):
        place = (_LEFT - 6, _height(angle, low, high))
        draw.text(place, f"{math.degrees(angle):.0f}°", _INK_3, font, anchor="rm")
    draw.text((_LEFT, HEIGHT - 8), "0 s", _INK_3, font, anchor="lm")
    draw.text((_RIGHT, HEIGHT - 8), f"{course.end_s:.0f} s", _INK_3, font, anchor="rm")
    return Scene(course, _empty_dial(), _with_trace(canvas, course, _ANGLE), _with_trace(canvas, course, _FAINT))


def draw(of: Scene, t_s: float) -> Image.Image:
    """The picture at one time of the run."""
    now = of.course.at(t_s)
    picture = of.after.copy()
    x = _across(t_s, of.course)
    picture.paste(of.before.crop((0, _DIAL, x, HEIGHT)), (0, _DIAL))
    ink = ImageDraw.Draw(picture)
    ink.line((x, _TOP - 6, x, _BOTTOM + 4), _INK_3, 1)
    ink.text((_CENTRE + 10, _DIAL + 4), f"{t_s:.1f} s", _INK, ImageFont.load_default(15), anchor="ma")
    dial = of.dial.copy()
    pen = ImageDraw.Draw(dial)
    for number, colour in reversed(list(enumerate(_TRAIL, 1))):
        _arc(pen, of.course.at(t_s - number * _GHOST_S).angle_rad, of.course.at(t_s - (number - 1) * _GHOST_S).angle_rad,
             _ROD, 9, colour)  # fmt: skip
    push = max(-1.0, min(1.0, now.action / _LIMIT))
    if abs(push) > 0.01:
        _arc(pen, 0.0, push * math.pi / 2, _PUSH, 8, _ACTION)
    bob, hub = _at(now.angle_rad, _ROD), _at(0.0, 0.0)
    pen.line((*hub, *bob), _INK, 6 * _SCALE)
    _disc(pen, bob, _BOB, _ANGLE, _GROUND)
    _disc(pen, hub, 10.0, _GROUND, _INK)
    picture.paste(dial.reduce(_SCALE), (10, 0))
    return picture


def palette(of: Scene, colours: int) -> Image.Image:
    """The colours that pictures of a run need, from a few of them."""
    samples = [draw(of, of.course.end_s * part) for part in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)]
    sheet = Image.new("RGB", (WIDTH * len(samples), HEIGHT))
    for number, sample in enumerate(samples):
        sheet.paste(sample, (number * WIDTH, 0))
    return sheet.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def _empty_dial() -> Image.Image:
    side = _DIAL * _SCALE
    dial = Image.new("RGB", (side, side), _GROUND)
    pen = ImageDraw.Draw(dial)
    _disc(pen, _at(0.0, 0.0), _RIM, _SUNKEN, _LINE)
    for degree in range(0, 360, 10):
        inner = _RIM - (12 if degree % 30 == 0 else 7)
        colour = _INK_3 if degree % 30 == 0 else _LINE
        pen.line((*_at(math.radians(degree), _RIM), *_at(math.radians(degree), inner)), colour, _SCALE)
    _arc(pen, -math.radians(10), math.radians(10), _RIM, 4, _GOOD)
    font = ImageFont.load_default(12 * _SCALE)
    for name, angle in (("0°", 0.0), ("90°", math.pi / 2), ("180°", math.pi), ("-90°", -math.pi / 2)):
        pen.text(_at(angle, _RIM + 17), name, _INK_3, font, anchor="mm")
    return dial


def _with_trace(canvas: Image.Image, course: Course, colour: str) -> Image.Image:
    large = canvas.resize((WIDTH * _SCALE, HEIGHT * _SCALE), Image.Resampling.NEAREST)
    low, high = _bounds(course)
    points = [
        (_across(float(t), course) * _SCALE, _height(float(angle), low, high) * _SCALE)
        for t, angle in zip(course.times_s, course.angles_rad, strict=True)
    ]
    if len(points) > 1:
        ImageDraw.Draw(large).line(points, colour, 3, joint="curve")
    traced = large.reduce(_SCALE)
    canvas = canvas.copy()
    box = (_LEFT - 2, _TOP - 4, WIDTH, _BOTTOM + 4)
    canvas.paste(traced.crop(box), box[:2])
    return canvas


def _bounds(course: Course) -> tuple[float, float]:
    low, high = float(np.min(course.angles_rad)), float(np.max(course.angles_rad))
    return low, max(high, low + 0.1)


def _height(angle_rad: float, low: float, high: float) -> float:
    return _TOP + (high - angle_rad) / (high - low) * (_BOTTOM - _TOP)


def _across(t_s: float, course: Course) -> int:
    return _LEFT + round(min(1.0, t_s / (course.end_s or 1.0)) * (_RIGHT - _LEFT))


def _at(angle_rad: float, radius: float) -> tuple[float, float]:
    return (
        (_CENTRE - radius * math.sin(angle_rad)) * _SCALE,
        (_CENTRE - radius * math.cos(angle_rad)) * _SCALE,
    )


def _arc(pen: ImageDraw.ImageDraw, start: float, end: float, radius: float, width: int, colour: str) -> None:
    """From one angle to another; Pillow counts clockwise from three o'clock."""
    first, last = sorted((-math.degrees(start) - 90.0, -math.degrees(end) - 90.0))
    if last - first < 0.2:
        return
    reach = radius + width / 2
    box = (
        (_CENTRE - reach) * _SCALE,
        (_CENTRE - reach) * _SCALE,
        (_CENTRE + reach) * _SCALE,
        (_CENTRE + reach) * _SCALE,
    )
    pen.arc(box, first, min(last, first + 359.9), colour, width * _SCALE)


def _disc(pen: ImageDraw.ImageDraw, place: tuple[float, float], radius: float, fill: str, outline: str) -> None:
    reach = radius * _SCALE
    x, y = place
    pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill, outline, 3 * _SCALE)
