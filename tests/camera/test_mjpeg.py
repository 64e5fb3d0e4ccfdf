"""A stream of pictures comes apart where it should, whoever sends it and however it is cut."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.camera import mjpeg
from appliance.camera.errors import CameraError
from appliance.camera.mjpeg import Splitter
from tests.camera.mjpeg_server import jpeg, terse, ustreamer

BOUNDARY = b"--boundarydonotcross"
PICTURES = [jpeg("red"), jpeg("green"), jpeg("blue", (640, 480))]


def split(stream: bytes, cuts: list[int]) -> list[bytes]:
    """Feed a stream piece by piece."""
    splitter, found, begin = Splitter(BOUNDARY), [], 0
    for cut in [*sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]:
        found += splitter.feed(stream[begin:cut])
        begin = cut
    return found


@pytest.mark.parametrize("camera", [ustreamer, terse])
@given(cuts=st.lists(st.integers(0, 100_000), max_size=20))
def test_pictures_come_out_as_they_went_in(camera: Callable[[list[bytes]], bytes], cuts: list[int]) -> None:
    assert split(camera(PICTURES), cuts) == PICTURES


@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=5))
def test_whatever_comes_is_a_picture_or_nothing(noise: bytes, cuts: list[int]) -> None:
    try:
        found = split(noise + ustreamer(PICTURES[:1]), cuts)
    except CameraError:
        return
    assert all(picture.startswith(b"\xff\xd8") and picture.endswith(b"\xff\xd9") for picture in found)


def test_padding_behind_a_picture_is_dropped() -> None:
    assert split(ustreamer([PICTURES[0] + b"\0" * 40]), []) == PICTURES[:1]


def test_a_part_that_is_no_jpeg_is_left_out_and_counted() -> None:
    splitter = Splitter(BOUNDARY)
    assert list(splitter.feed(ustreamer([b"GIF89a", PICTURES[0], b"", PICTURES[1][:-2]]))) == PICTURES[:1]
    assert splitter.spoilt == 2


@pytest.mark.parametrize(
    "flood",
    [
        b"x" * 100_000,
        BOUNDARY + b"\r\nX: " + b"y" * 100_000,
        BOUNDARY + b"\r\nContent-Length: 999999999\r\n\r\n",
        BOUNDARY + b"\r\n\r\n" + b"\xff\xd8" * (5 << 20),
    ],
    ids=["no boundary", "endless header", "promises too much", "endless picture"],
)
def test_nothing_endless_is_kept(flood: bytes) -> None:
    with pytest.raises(CameraError, match="isn't a stream of JPEG pictures"):
        split(flood, [])


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("multipart/x-mixed-replace;boundary=boundarydonotcross", b"--boundarydonotcross"),
        ('multipart/x-mixed-replace; boundary="--myboundary"', b"--myboundary"),
        ("multipart/x-mixed-replace;boundary=ffmpeg", b"--ffmpeg"),
    ],
)
def test_the_boundary_is_understood_with_dashes_and_without(content_type: str, expected: bytes) -> None:
    assert mjpeg.boundary(content_type) == expected


@pytest.mark.parametrize("content_type", ["", "image/jpeg", "text/html; charset=utf-8", "multipart/x-mixed-replace"])
def test_what_is_no_stream_is_refused_in_words(content_type: str) -> None:
    with pytest.raises(CameraError):
        mjpeg.boundary(content_type)
