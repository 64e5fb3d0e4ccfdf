"""The page Calibration: start the experiment, fit what it recorded, compare, and take the file or leave it.

The fit runs in a child process and is kept until the next one. The page writes no parameters: pins and limits stand in the
same file, and that only changes as root.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from gevent.lock import BoundedSemaphore

from appliance import attempts, durable, ulid
from appliance.calibration.answer import Answer
from appliance.errors import Conflict, NotFound
from appliance.paths import Paths
from appliance.store import Job, NewJob, Store
from appliance.webui import identity, samples
from appliance.webui.owner_pages import OwnerFrame
from appliance.webui.store_threads import StoreThreads
from appliance.webui.threads import Threads
from appliance.webui.web import Request, Response, Site, redirect

NAME: Final = "Calibration"
_HERE: Final = "/owner/calibration"
_LONGEST_FIT_S: Final = 600.0
_RECENT_JOBS: Final = 200


@dataclass(frozen=True)
class OwnerCalibration:
    """Handlers of the page; `fits` holds the newest fit by its job's id."""

    paths: Paths
    frame: OwnerFrame
    store: StoreThreads
    disk: Threads
    fits: dict[str, Answer] = field(default_factory=dict)
    place: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(1))

    def install(self, site: Site) -> None:
        """Add the routes."""
        site.route("GET", _HERE, self.page)
        site.route("POST", f"{_HERE}/start", self.start)
        site.route("POST", f"{_HERE}/fit", self.fit)
        site.route("GET", f"{_HERE}/robot.yaml", self.download)

    def page(self, _request: Request) -> Response:
        """The newest experiment, and its fit if there is one."""
        job = self.store.read(newest)
        return self.frame.page("calibration", job=job, answer=self.fits.get(job.id) if job else None)

    def start(self, request: Request) -> Response:
        """Queue the experiment, and go to its page, where its progress is."""
        now_s = self.frame.now_s()
        job_id = ulid.new(now_s)
        self.disk.call(durable.write, self.paths.upload(job_id), samples.packed("calibration"))
        new = NewJob("archive", "calibration.tar.gz", identity.submitter(request), name=NAME)
        self.store.write(lambda rows: rows.add(new, now_s, job_id))
        return redirect(f"/jobs/{job_id}")

    def fit(self, _request: Request) -> Response:
        """Fit the newest experiment; whoever asks waits, nobody else does."""
        job = self.store.read(newest)
        folder = attempts.results_folder(self.paths, job) if job else None
        if job is None or folder is None:
            raise Conflict("There is no finished calibration to fit. Start one, and wait for its end.")
        if not self.place.acquire(blocking=False):
            raise Conflict("A fit is being made already. Look again in a minute.")
        try:
            found = _fitted(folder / "bundle.zip")
        finally:
            self.place.release()
        self.fits.clear()
        self.fits[job.id] = found
        return redirect(_HERE)

    def download(self, _request: Request) -> Response:
        """The fitted robot.yaml."""
        found = next(iter(self.fits.values()), None)
        if found is None or not found.robot_yaml:
            raise NotFound("There is no fit that may be used. Start a calibration, then fit it.")
        headers = {"Content-Disposition": 'attachment; filename="robot.yaml"', "Cache-Control": "no-store"}
        return Response(found.robot_yaml.encode(), content_type="application/yaml", headers=headers)


def newest(rows: Store) -> Job | None:
    """The experiment that was queued last, while it is among the recent jobs."""
    return next((job for job in rows.recent(_RECENT_JOBS) if job.name == NAME), None)


def _fitted(bundle: Path) -> Answer:
    """By a child; this greenlet waits, no thread does."""
    command = ["nice", "-n", "10", sys.executable, "-m", "appliance.calibration", str(bundle)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_LONGEST_FIT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise Conflict("The fit broke off. `raas calibrate --job last` shows why.") from error
    return msgspec.json.decode(done.stdout, type=Answer)
