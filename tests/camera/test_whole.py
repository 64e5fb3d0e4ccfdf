"""The camera's real process and the real page: live pictures, a recorded job, and what is said when there is nothing to see."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from PIL import Image

from appliance import facts
from tests.camera.lookout import looked_through
from tests.camera.mjpeg_server import camera, head, jpeg, sends, ustreamer
from tests.patience import eventually
from tests.webui.conftest import set_stage
from tests.webui.http_calls import call
from tests.webui.stage import Stage, WebProcess


@contextmanager
def looking(config_text: str) -> Iterator[tuple[Stage, WebProcess]]:
    """A stage, its page, and a camera."""
    with set_stage(config_text) as stage, stage.serve() as web, looked_through(stage):
        yield stage, web


def is_live(web: WebProcess) -> bool:
    return bool(call(web.port, "GET", "/api/camera").json["live"])


def test_a_job_is_seen_live_and_afterwards() -> None:
    with looking("camera: {url: test, fps: 20}\n") as (stage, web):
        eventually(lambda: is_live(web), what="live")
        first = call(web.port, "GET", "/api/camera/picture")
        number = first.headers["picture-number"]
        second = call(web.port, "GET", f"/api/camera/picture?than={number}")
        assert int(second.headers["picture-number"]) > int(number)
        with Image.open(io.BytesIO(second.body)) as picture:
            assert picture.size == (480, 360)
        job = stage.running("filmed")
        address = f"/api/jobs/{job.id}/camera"
        eventually(lambda: len(call(web.port, "GET", address).json["times_s"]) >= 10, what="recorded")
        stage.finish(job)
        found = call(web.port, "GET", address).json
        assert found["times_s"] == sorted(found["times_s"])
        assert -0.2 < found["times_s"][0] < 2.0
        part = call(web.port, "GET", f"/jobs/{job.id}/camera/{found['attempt']}/3")
        whole = call(web.port, "GET", found["url"])
        assert part.headers["content-type"] == "image/jpeg"
        assert part.body in whole.body
        assert len(whole.body) == found["size_bytes"]
        gone = len(found["times_s"]) + 1000
        assert call(web.port, "GET", f"/jobs/{job.id}/camera/1/{gone}").status == 404


def test_a_camera_of_the_network_is_passed_on_byte_by_byte() -> None:
    picture, stay = jpeg("red"), threading.Event()
    with (
        camera(sends(head(), ustreamer([picture]), stay=stay)) as url,
        looking(f"camera: {{url: '{url}'}}\n") as (_, web),
    ):
        eventually(lambda: is_live(web), what="live")
        assert call(web.port, "GET", "/api/camera/picture").body == picture
        stay.set()


def test_the_page_says_why_there_is_no_picture() -> None:
    with looking("camera: {url: 'http://127.0.0.1:1/stream'}\n") as (_, web):
        eventually(
            lambda: "can't be reached" in call(web.port, "GET", "/api/camera").json["sentence"], what="the reason"
        )
        assert b"be reached" in call(web.port, "GET", "/").body


def test_a_simulated_picture_of_a_real_robot_is_refused() -> None:
    with looking("camera: {url: test}\nrobot: {link: pigpiod}\n") as (stage, _):
        eventually(lambda: "needs a real camera" in stage.store.fact(facts.CAMERA), what="refused")


def test_without_a_camera_nothing_is_promised(shared_web: WebProcess) -> None:
    assert call(shared_web.port, "GET", "/api/camera").json == {"live": False, "sentence": "This robot has no camera."}
    assert call(shared_web.port, "GET", "/api/camera/picture").status == 204
    assert b"data-camera" not in call(shared_web.port, "GET", "/").body


@pytest.mark.parametrize("than", ["-1", "x", "1e3", "9" * 30, "%C2%B2"])
def test_a_number_that_is_none_is_refused(shared_web: WebProcess, than: str) -> None:
    assert call(shared_web.port, "GET", f"/api/camera/picture?than={than}").status == 400


@pytest.fixture(scope="module")
def shared_web() -> Iterator[WebProcess]:
    with set_stage() as stage, stage.serve() as web:
        yield web
