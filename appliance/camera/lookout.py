"""Who looks through the camera? A process that passes pictures on to the page and records jobs.

It may be killed at any time: its files are whole after each picture.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from appliance import config as configuration
from appliance import facts, process
from appliance.backoff import Backoff
from appliance.camera.errors import CameraError
from appliance.camera.recorder import Recorder, Run
from appliance.camera.source import Source
from appliance.config import Config
from appliance.errors import NotFound
from appliance.jobs import State
from appliance.lifeline import die_with_parent
from appliance.paths import Paths
from appliance.store import Store

#: Where the pictures come from. Raises CameraError.
Find = Callable[[Config, Paths], Source]

_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0

_log = logging.getLogger("camera")


@dataclass
class Camera:
    """Takes pictures from a source. fps: how many of them a second at most. now_s: monotonic."""

    paths: Paths
    store: Store
    recorder: Recorder
    fps: float
    now_s: Callable[[], float] = time.monotonic
    wall_s: Callable[[], float] = time.time
    _due_s: float = float("-inf")
    _problem: str | None = None

    def watch(self, find: Callable[[], Source]) -> None:
        """Look until there is nothing to see any more. Raises CameraError, which the page shows, too."""
        try:
            for picture in find()():
                self.take(picture)
        except CameraError as error:
            self._says(str(error))
            raise

    def take(self, picture: bytes) -> None:
        """Show a picture and record it, or drop it because the one before is too young."""
        now_s = self.now_s()
        if now_s < self._due_s:
            return
        self._due_s = max(self._due_s + 1.0 / self.fps, now_s)
        self._show(picture)
        if self._problem != "":
            self._says("")
        if self.store.changed():
            self.recorder.follow(self._running())
        self.recorder.add(picture, self.wall_s())

    def _show(self, picture: bytes) -> None:
        """The page reads this folder as a stranger, as it does the live ring; the motor loop makes it."""
        part = self.paths.camera_picture.with_suffix(".part")
        with contextlib.suppress(FileNotFoundError):
            part.write_bytes(picture)
            part.chmod(0o644)
            part.replace(self.paths.camera_picture)

    def _running(self) -> Run | None:
        return next((Run(job.id, job.attempt) for job in self.store.active() if job.state is State.RUNNING), None)

    def _says(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            _log.info("%s", problem or "there is a picture")
            self.store.set_fact(facts.CAMERA, problem, self.wall_s())


def run(program: str, about: str, find: Find, arguments: Sequence[str] | None = None) -> int:
    """The child's process: look, and look again whenever the pictures end. Returns only where its parent has gone."""
    parser = process.arguments(program, about)
    parser.add_argument("--parent", type=int, required=True, help="whose end ends this, too")
    given = parser.parse_args(arguments)
    if not die_with_parent(given.parent):
        return 1
    process.log_to_stderr()
    paths = Paths.of(given.data, given.runtime_root)
    config = configuration.load(given.config or paths.config)
    store = Store(paths.database)

    def is_pinned(job_id: str) -> bool:
        try:
            return store.get(job_id).pinned
        except NotFound:
            return False

    camera = Camera(paths, store, Recorder(paths, config.camera, config.storage, is_pinned), config.camera.fps)
    pauses = Backoff(_FIRST_PAUSE_S, _LONGEST_PAUSE_S)
    while True:
        began_s = time.monotonic()
        try:
            camera.watch(lambda: find(config, paths))
        except CameraError:
            time.sleep(pauses.after(time.monotonic() - began_s))
