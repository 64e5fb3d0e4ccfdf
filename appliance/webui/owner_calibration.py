"""The page Calibration: start the experiment, fit what it recorded, compare, take the fit or leave it, go back.

The fit runs in a child process and is kept until the next one. What is taken are constants alone (`appliance.calibration.in_use`):
pins and limits stand in the same file, and that only changes as root.
"""

from __future__ import annotations

import dataclasses
import logging
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from gevent.lock import BoundedSemaphore

from appliance import attempts, durable, facts, ulid
from appliance.calibration.answer import Answer
from appliance.calibration.in_use import RobotInUse
from appliance.errors import Conflict, NotFound
from appliance.paths import Paths
from appliance.store import Job, NewJob, Store
from appliance.webui import identity, samples
from appliance.webui.owner_pages import OwnerFrame, form_fields
from appliance.webui.robot_file import RobotFile
from appliance.webui.store_threads import StoreThreads
from appliance.webui.threads import Threads
from appliance.webui.web import Request, Response, Site, redirect
from gym_raas.kinds.known import PENDULUM
from gym_raas.parameters import Robot

_LOG = logging.getLogger("webui")
NAME: Final = "Calibration"
_HERE: Final = "/owner/calibration"
_LONGEST_FIT_S: Final = 600.0


@dataclass(frozen=True)
class OwnerCalibration:
    """Handlers of the page; `fits` holds the newest fit by its job's id."""

    paths: Paths
    frame: OwnerFrame
    store: StoreThreads
    disk: Threads
    robot_file: RobotFile
    fits: dict[str, Answer] = field(default_factory=dict)
    place: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(1))

    def install(self, site: Site) -> None:
        """Add the routes."""
        site.route("GET", _HERE, self.page)
        site.route("POST", f"{_HERE}/start", self.start)
        site.route("POST", f"{_HERE}/fit", self.fit)
        site.route("POST", f"{_HERE}/use", self.use)
        site.route("POST", f"{_HERE}/back", self.back)
        site.route("GET", f"{_HERE}/robot.yaml", self.download)

    def page(self, _request: Request) -> Response:
        """What is in use, the newest experiment, and its fit if there is one."""
        job, held = self.store.read(newest), self.robot_file.in_use()
        answer = self.fits.get(job.id) if job else None
        return self.frame.page(
            "calibration", job=job, answer=answer, held=held, objection=_objection(held, answer) if answer else "",
            is_taken=answer is not None and _is_taken(held, answer), file=self.robot_file.shown, back=_constants(held.robot, held.before) if held.before else [],
            can_be_fitted=held.robot.kind == PENDULUM.name,
        )  # fmt: skip

    def start(self, request: Request) -> Response:
        """Queue the experiment, and go to its page, where its progress is. Raises Conflict for what is no pendulum."""
        kind = self.robot_file.in_use().robot.kind
        if kind != PENDULUM.name:
            raise Conflict(
                f"The experiment is for a {PENDULUM.noun}; this robot is a {kind}. Set its constants in its file."
            )
        now_s = self.frame.now_s()
        job_id = ulid.new(now_s)
        self.disk.call(durable.write, self.paths.upload(job_id), samples.packed("calibration"))
        new = NewJob("archive", "calibration.tar.gz", identity.submitter(request), name=NAME)

        def queue(rows: Store) -> None:
            rows.add(new, now_s, job_id)
            rows.set_fact(facts.CALIBRATION, job_id, now_s)

        self.store.write(queue)
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

    def use(self, request: Request) -> Response:
        """Take the fit that was looked at. Raises Conflict where it may not hold, with why."""
        job_id = form_fields(request).get("job", "")
        found, held = self.fits.get(job_id), self.robot_file.in_use()
        if found is None:
            raise Conflict(
                "That fit is not the newest any more. Open the page Calibration again, and look at the one there."
            )
        if objection := _objection(held, found):
            raise Conflict(objection)
        by = identity.submitter(request)
        self.robot_file.take(found.robot_yaml, job_id, by, self.frame.now_s())
        _LOG.info("%s took the fit of job %s", by, job_id)
        return redirect(_HERE)

    def back(self, request: Request) -> Response:
        """Leave the newest fit for what was before it. Raises Conflict if there is nothing, or not what was looked at."""
        taken = self.robot_file.in_use().taken
        if taken is not None and form_fields(request).get("job", "") != taken.job:
            raise Conflict("Another fit has been taken meanwhile. Open the page Calibration again.")
        self.robot_file.go_back()
        _LOG.info("%s went back from the fit of job %s", identity.submitter(request), taken.job if taken else "")
        return redirect(_HERE)

    def download(self, _request: Request) -> Response:
        """The fitted robot.yaml."""
        found = next(iter(self.fits.values()), None)
        if found is None or not found.robot_yaml:
            raise NotFound("There is no fit that may be used. Start a calibration, then fit it.")
        headers = {"Content-Disposition": 'attachment; filename="robot.yaml"', "Cache-Control": "no-store"}
        return Response(found.robot_yaml.encode(), content_type="application/yaml", headers=headers)


def newest(rows: Store) -> Job | None:
    """The experiment that this page started last; never a job of somebody else's that is only called alike."""
    job_id = rows.fact(facts.CALIBRATION)
    return rows.get(job_id) if job_id else None


def _objection(held: RobotInUse, found: Answer) -> str:
    """Why a fit may not be taken, as sentences; '' if it may."""
    if found.problem:
        return found.problem
    if found.reasons:
        return f"This fit is refused: {'; '.join(found.reasons)}. The present constants stay."
    if _is_taken(held, found):
        return "This fit is in use."
    if found.over != held.robot.parameter_hash:
        return (
            "This fit was compared with other constants than those in use now. Start the experiment again, and fit it."
        )
    return ""


def _is_taken(held: RobotInUse, found: Answer) -> bool:
    return held.taken is not None and held.taken.robot_yaml == found.robot_yaml


def _constants(now: Robot, then: Robot) -> list[tuple[str, str, str]]:
    """Constants that differ: name, now, then."""
    names = [each.name for each in dataclasses.fields(now.model)]
    pairs = [(name, f"{getattr(now.model, name):.4g}", f"{getattr(then.model, name):.4g}") for name in names]
    return [(name, one, other) for name, one, other in pairs if one != other]


def _fitted(bundle: Path) -> Answer:
    """By a child; this greenlet waits, no thread does."""
    command = ["nice", "-n", "10", sys.executable, "-m", "appliance.calibration", str(bundle)]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_LONGEST_FIT_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise Conflict("The fit broke off. `raas calibrate --job last` shows why.") from error
    return msgspec.json.decode(done.stdout, type=Answer)
