"""How does a run become a GIF? `python -m appliance.errands.film RESULT_JSON TARGET`: a child that may be killed at any time.

It makes way for everything else that runs. The frame rate follows the length of the run, and falls where the file gets
too large. Exit status 3: there is nothing to draw, and standard error says why.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from appliance.errands import course, picture
from appliance.errands.artist import NOTHING_TO_DRAW
from appliance.errands.course import NoCourse
from appliance.errands.gif import COLOURS, GifWriter
from appliance.lifeline import die_with_parent
from appliance.shapes import Result

#: What a GIF may weigh: small enough to be sent around.
MOST_BYTES: Final = 3_000_000
#: Hundredths of a second a frame, for runs up to so many seconds. Viewers are slow below 4.
_PACES: Final = ((30.0, 5), (70.0, 8), (float("inf"), 10))
_SLOWER: Final = 1.6
_LAST_CS: Final = 200
_MOST_BYTES_READ: Final = 64 << 20
_NICENESS: Final = 10


def write(result: Result, target: Path) -> None:
    """Draw a run into `target`. Raises NoCourse, OSError."""
    run = course.of(result)
    scene = picture.scene(run)
    colours = picture.palette(scene, COLOURS - 1)
    pace_cs = next(pace for longest_s, pace in _PACES if run.end_s <= longest_s)
    while True:
        with target.open("wb") as file:
            film = GifWriter(file, (picture.WIDTH, picture.HEIGHT), colours)
            for number in range(int(run.end_s * 100 / pace_cs) + 1):
                film.add(picture.draw(scene, number * pace_cs / 100), pace_cs)
            film.add(picture.draw(scene, run.end_s), _LAST_CS)
            film.close()
        if target.stat().st_size <= MOST_BYTES:
            return
        pace_cs = round(pace_cs * _SLOWER)


def main(arguments: Sequence[str]) -> int:
    """The child's process."""
    source, target, parent = Path(arguments[0]), Path(arguments[1]), int(arguments[2])
    if not die_with_parent(parent):
        return 1
    os.setpriority(os.PRIO_PROCESS, 0, max(_NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
    try:
        with source.open("rb") as file:
            write(msgspec.json.decode(file.read(_MOST_BYTES_READ), type=Result), target)
    except (NoCourse, msgspec.DecodeError) as error:
        sys.stderr.write(f"{error}\n")
        return NOTHING_TO_DRAW
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
