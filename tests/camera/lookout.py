"""A stage on which somebody looks through the camera."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from appliance import config as configuration
from appliance.camera import keeper
from tests.webui.stage import Stage


@contextmanager
def looked_through(stage: Stage) -> Iterator[None]:
    """The runner's thread and its child, as configured on this stage."""
    stopping, paths = threading.Event(), stage.paths
    url = configuration.load(paths.config).camera.url
    thread = threading.Thread(target=keeper.keep, args=(url, paths, paths.config, stopping))
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
    assert not paths.camera_picture.exists(), "nothing old is shown as live"
