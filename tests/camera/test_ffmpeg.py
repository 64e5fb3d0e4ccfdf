"""Against a program that we didn't write: ffmpeg sends a stream that we take apart, and plays a recording that we made."""

from __future__ import annotations

import itertools
import json
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from appliance.camera import source
from appliance.camera.errors import CameraError
from appliance.camera.recorder import Recorder, Run
from appliance.config import CameraSection, StorageSection
from appliance.paths import Paths
from tests.patience import eventually

pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is in Debian's package ffmpeg")
COUNT = 12


def sent_by_ffmpeg(count: int) -> list[bytes]:
    """Pictures of ffmpeg's own test pattern, over HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/stream"
    serve = ["ffmpeg", "-loglevel", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=25", "-c:v", "mjpeg", "-f", "mpjpeg",
             "-content_type", "multipart/x-mixed-replace;boundary=ffmpeg", "-listen", "1", url]  # fmt: skip
    with subprocess.Popen(serve) as process:
        try:
            return eventually(lambda: looked(url, count), what="pictures")
        finally:
            process.kill()


def looked(url: str, count: int) -> list[bytes]:
    try:
        return list(itertools.islice(source.at(url)(), count))
    except CameraError:  # it doesn't listen yet
        return []


def test_a_stream_is_taken_apart_and_the_recording_plays(tmp_path: Path) -> None:
    pictures = sent_by_ffmpeg(COUNT)
    paths = Paths(tmp_path / "data", tmp_path / "run", tmp_path / "shm")
    recorder = Recorder(paths, CameraSection(url="http://camera"), StorageSection(min_free_mb=1), lambda _: False)
    recorder.follow(Run("A", 1))
    for picture in pictures:
        recorder.add(picture, time.time())
    recorder.close()
    probe = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of", "json", str(paths.recording("A", 1))]
    found = json.loads(subprocess.run(probe, capture_output=True, check=True).stdout)["streams"][0]
    assert (found["codec_name"], found["width"], found["height"]) == ("mjpeg", 320, 240)
    assert int(found["nb_read_frames"]) == COUNT == len(pictures)
