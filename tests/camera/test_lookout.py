"""How many pictures are shown and kept, whatever the camera sends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance import facts
from appliance.camera.errors import CameraError
from appliance.camera.lookout import Camera
from appliance.camera.recorder import Recorder
from appliance.config import CameraSection, StorageSection
from appliance.paths import Paths
from appliance.store import Store


class Clock:
    """Stands still between pictures."""

    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Watched(Camera):
    """Counts what it shows."""

    shown = 0

    def _show(self, picture: bytes) -> None:
        self.shown += 1


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    folder = tmp_path_factory.mktemp("camera")
    return Paths(folder / "data", folder / "run", folder / "shm")


@pytest.fixture(scope="module")
def store(paths: Paths) -> Iterator[Store]:
    store = Store(paths.database)
    yield store
    store.close()


def camera(paths: Paths, store: Store, fps: float, clock: Clock) -> Watched:
    recorder = Recorder(paths, CameraSection(url="test"), StorageSection(), lambda _: False)
    return Watched(paths, store, recorder, fps, now_s=clock)


@given(fps=st.floats(0.2, 30.0), sent_hz=st.floats(0.1, 1000.0))
def test_no_more_pictures_than_asked_for_and_no_fewer_than_there_are(
    paths: Paths, store: Store, fps: float, sent_hz: float
) -> None:
    clock = Clock()
    watched = camera(paths, store, fps, clock)
    sent = 200
    for _ in range(sent):
        watched.take(b"")
        clock.now_s += 1.0 / sent_hz
    seconds = sent / sent_hz
    assert (
        watched.shown <= seconds * fps + 2.0 + 1e-6
    )  # one ahead, so that a camera of a little more comes to the whole rate
    assert watched.shown >= min(sent, seconds * min(fps, sent_hz) / 2.0)


def test_what_is_wrong_is_told_and_taken_back_with_the_next_picture(paths: Paths, store: Store) -> None:
    watched = camera(paths, store, 10.0, Clock())

    def none() -> Iterator[bytes]:
        raise CameraError("It is dark.")
        yield b""

    with pytest.raises(CameraError):
        watched.watch(lambda: none)
    assert store.fact(facts.CAMERA) == "It is dark."
    watched.take(b"")
    assert store.fact(facts.CAMERA) == ""
