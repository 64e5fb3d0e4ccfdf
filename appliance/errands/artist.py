"""When is a run drawn? While the robot is idle, by a child of low priority, which is killed as soon as a job is next.

What is drawn stays beside the job's data, as long as all drawings together fit their budget; the oldest make room.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from appliance import attempts, ulid
from appliance.config import StorageSection
from appliance.errands import book
from appliance.errands.book import Book, Drawn
from appliance.errors import NotFound
from appliance.jobs import State
from appliance.paths import Paths
from appliance.store import Job, Store
from gym_raas.kinds.pendulum import PENDULUM

#: The child's exit status where there is nothing to draw, and standard error says why.
NOTHING_TO_DRAW: Final = 3
_LOOK_S: Final = 0.05
_LONGEST_S: Final = 1800.0
#: What is drawn goes on while the next job is only being prepared.
_NEEDS_QUIET: Final = frozenset({State.WAITING_FOR_ROBOT, State.RUNNING, State.COLLECTING})

_log = logging.getLogger("runner")


@dataclass(frozen=True)
class Artist:
    """Draws for one book. stopping: whether everything ends."""

    paths: Paths
    storage: StorageSection
    store: Store
    stopping: Callable[[], bool]

    def turn(self, opened: Book) -> bool:
        """Draw one run, if one is wanted and the robot is idle; whether there may be more to do at once."""
        if self.store.active():
            return False
        errand = opened.claim(book.DRAW, time.time())
        if errand is None:
            return False
        try:
            drawn = self._drawn(errand.subject)
        except OSError as error:
            drawn = Drawn(ok=False, sentence=f"The GIF can't be written ({error.strerror}). Make room, and ask again.")
        if drawn is None:
            opened.put_back(errand)
            return False
        opened.answer(errand, msgspec.json.encode(drawn).decode(), time.time())
        return True

    def _drawn(self, job_id: str) -> Drawn | None:
        """What came of it; None if it was interrupted."""
        try:
            if not ulid.is_valid(job_id):
                raise NotFound("There is no such job.")
            job = self.store.get(job_id)
        except NotFound as error:
            return Drawn(ok=False, sentence=str(error))
        folder = attempts.results_folder(self.paths, job)
        if folder is not None and attempts.robot_kind((folder / attempts.REPORT).read_bytes()) not in (
            "",
            PENDULUM.name,
        ):
            return Drawn(ok=False, sentence="Only a pendulum's runs are drawn as GIFs; this robot is of another kind.")
        if folder is None or not (folder / "result.json").is_file():
            return Drawn(ok=False, sentence="The data of this run are gone, so it can't be drawn.")
        if shutil.disk_usage(self.paths.data).free >> 20 < self.storage.min_free_mb:
            return Drawn(ok=False, sentence="There is too little room on the appliance's disk for a GIF. Make some.")
        return self._film(job, folder / "result.json")

    def _film(self, job: Job, source: Path) -> Drawn | None:
        target = self.paths.animation(job.id)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(".part")
        command = [sys.executable, "-m", "appliance.errands.film", str(source), str(part), str(os.getpid())]
        try:
            with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
                code = self._wait(child)
                said = (child.stderr.read(2000) if child.stderr else b"").decode(errors="replace").strip()
            if code is None:
                return None
            if code == 0:
                part.replace(target)
                self._make_room(target)
                return Drawn(ok=True)
            if code != NOTHING_TO_DRAW:
                _log.warning("%s could not be drawn: %s", job.id, said)
                said = "The appliance could not draw this run; its log says more."
            return Drawn(ok=False, sentence=said.splitlines()[-1] if said else "There is nothing to draw.")
        finally:
            part.unlink(missing_ok=True)

    def _wait(self, child: subprocess.Popen[bytes]) -> int | None:
        """The child's exit code; None if it had to make way."""
        deadline_s = time.monotonic() + _LONGEST_S
        while True:
            try:
                return child.wait(_LOOK_S)
            except subprocess.TimeoutExpired:
                is_late = time.monotonic() > deadline_s
            if is_late or self.stopping() or any(job.state in _NEEDS_QUIET for job in self.store.active()):
                child.kill()
                child.wait()
                return 1 if is_late else None

    def _make_room(self, newest: Path) -> None:
        """Remove the oldest drawings until all fit; never the one that was just made."""
        found = sorted(self.paths.data.glob(f"jobs/*/{newest.name}"), key=lambda path: path.stat().st_mtime)
        total = sum(path.stat().st_size for path in found)
        for path in found:
            if total <= self.storage.animations_mb << 20:
                return
            if path != newest:
                total -= path.stat().st_size
                path.unlink(missing_ok=True)
