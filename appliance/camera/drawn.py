"""What would a camera see of the simulated robot? Pictures drawn from the live ring: the test source, `camera.url: test`.

`python -m appliance.camera.drawn --data DATA --parent PID`: a program of its own, so that a real camera's does without numpy.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from appliance.camera import lookout
from appliance.camera.errors import CameraError
from appliance.camera.source import Pictures, Source
from appliance.config import Config
from appliance.paths import Paths
from appliance.realtime.ring_reader import RingReader
from appliance.realtime.telemetry import LiveRecord
from gym_raas.drawing import picture
from gym_raas.kinds.kind import Kind
from gym_raas.kinds.known import KINDS
from gym_raas.marks import PAPER
from gym_raas.parameters import PACKAGED, RobotFileError, load_robot
from gym_raas.task import MAX_ACTION

_SIZE: Final = (480, 360)
_QUALITY: Final = 80
_INK: Final = "#5d686e"
_GROUND: Final = (round(PAPER[0]), round(PAPER[1]), round(PAPER[2]))


def of(kind: Kind, newest: Callable[[], LiveRecord | None], fps: float) -> Source:
    """Draws a robot of this kind as it stands now, so often a second."""

    def pictures() -> Pictures:
        while True:
            yield _drawn(kind, newest(), datetime.now(UTC))
            time.sleep(1.0 / fps)

    return pictures


def of_appliance(config: Config, paths: Paths) -> Source:
    """The same of the robot that this appliance simulates. Raises CameraError."""
    if config.robot.link != "twin":
        raise CameraError("camera.url is 'test', which draws the simulated robot; a real one needs a real camera.")
    try:
        robot = load_robot(Path(config.robot.file) if config.robot.file else PACKAGED)
    except RobotFileError as error:
        raise CameraError(str(error)) from error
    ring = RingReader(paths.live_ring)
    return of(KINDS[robot.kind], lambda: ring.newest(time.monotonic_ns()), config.camera.fps)


def _drawn(kind: Kind, record: LiveRecord | None, now: datetime) -> bytes:
    sheet = Image.new("RGB", _SIZE, _GROUND)
    angle, action = (record.angle_rad, record.action) if record is not None else (kind.home_rad, 0.0)
    robot = Image.fromarray(picture(kind, angle, action / MAX_ACTION)).resize((_SIZE[1], _SIZE[1]))
    sheet.paste(robot, ((_SIZE[0] - _SIZE[1]) // 2, 0))
    pen = ImageDraw.Draw(sheet)
    pen.text((8, 6), "TEST PICTURE", _INK, ImageFont.load_default(12))
    pen.text(
        (8, _SIZE[1] - 20),
        f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 100_000} UTC",
        _INK,
        ImageFont.load_default(12),
    )
    out = io.BytesIO()
    sheet.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(lookout.run("python -m appliance.camera.drawn", (__doc__ or "").splitlines()[0], of_appliance))
