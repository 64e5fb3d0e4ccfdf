"""Cameras that work, and what is said of those that don't."""

from __future__ import annotations

import base64
import itertools
import socket
import threading

import pytest

from appliance.camera import source
from appliance.camera.errors import CameraError
from tests.camera.mjpeg_server import Answer, camera, head, jpeg, sends, terse, ustreamer

PICTURES = [jpeg("red"), jpeg("blue")]


@pytest.mark.parametrize("kind", [ustreamer, terse])
def test_pictures_come_while_the_stream_goes_on(kind: object) -> None:
    stay = threading.Event()
    with camera(sends(head(), kind(PICTURES), stay=stay)) as url:  # type: ignore[operator]
        assert list(itertools.islice(source.at(url)(), 2)) == PICTURES
        stay.set()


def test_name_and_password_go_as_they_stand_in_the_address() -> None:
    asked: list[bytes] = []

    def answer(request: bytes, connection: socket.socket) -> None:
        asked.append(request)
        connection.sendall(head() + ustreamer(PICTURES))

    with camera(answer) as url:
        next(source.at(url.replace("//", "//lab:p%40ss@"))())
    assert b"Authorization: Basic " + base64.b64encode(b"lab:p@ss") in asked[0]


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        (sends(head("image/jpeg") + PICTURES[0]), "image/jpeg"),
        (sends(head(status="401 Unauthorized")), "NAME:PASSWORD"),
        (sends(head(status="302 Found")), "final address"),
        (sends(head(status="404 Not Found")), "404"),
        (sends(head() + ustreamer([b"no jpeg"] * 102)), "no JPEG"),
        (sends(head() + ustreamer(PICTURES)), "ended its stream"),
        (sends(b"SSH-2.0-OpenSSH_9.2\r\n"), "can't be reached"),
        (sends(), "can't be reached"),
    ],
    ids=["a single picture", "login", "redirect", "not found", "no pictures", "ends", "another protocol", "hangs up"],
)
def test_what_is_wrong_is_said_with_what_to_do(answer: Answer, word: str) -> None:
    with camera(answer) as url, pytest.raises(CameraError, match=word) as raised:
        list(source.at(url)())
    assert "127.0.0.1" in str(raised.value)


def test_a_camera_that_falls_silent_is_left() -> None:
    stay = threading.Event()
    with camera(sends(head(), ustreamer(PICTURES), stay=stay)) as url:
        pictures = source.at(url, silence_s=0.2)()
        assert [next(pictures), next(pictures)] == PICTURES
        with pytest.raises(CameraError, match="nothing for"):
            next(pictures)
        stay.set()


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(CameraError, match=r"can't be reached \(Connection refused\)"):
        next(source.at(f"http://127.0.0.1:{port}/stream")())


@pytest.mark.parametrize(
    "url", ["ftp://camera/stream", "camera:8080/stream", "http://", "/dev/video0", "http://a:b:c/"]
)
def test_an_address_that_is_none_is_refused_before_anything_is_asked(url: str) -> None:
    with pytest.raises(CameraError, match=r"camera\.url"):
        source.at(url)


def test_no_password_is_ever_said() -> None:
    with pytest.raises(CameraError) as raised:
        next(source.at("http://lab:secret@127.0.0.1:1/x?key=secret")())
    assert "secret" not in str(raised.value)
