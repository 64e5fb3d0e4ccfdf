"""What the camera sees, now and of a job that has run. Pictures go out as they came; nobody decodes them here.

A page asks for a picture newer than the one it has, and gets it as soon as there is one: so a slow phone sees fewer
pictures, and never old ones.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import gevent

from appliance import facts
from appliance.camera import listing
from appliance.camera.mjpeg import MOST_BYTES
from appliance.config import CameraSection
from appliance.paths import Paths
from appliance.shapes import CameraView, Recording
from appliance.store import Job
from appliance.webui import job_files, job_views
from appliance.webui.job_files import Disk
from appliance.webui.store_threads import StoreThreads
from appliance.webui.web import Refusal, Request, Response, Site, json_response

NUMBER: Final = "Picture-Number"
JPEG: Final = "image/jpeg"
#: A picture this old isn't live any more.
_STALE_S: Final = 5.0
#: Whoever wants a newer picture waits so long, and looks so often.
_PATIENCE_S: Final = 5.0
_LOOK_S: Final = 0.02
#: Waiting at the same time; a page counts once.
_MOST_WATCHING: Final = 40
_LIST_BYTES: Final = 4 << 20
_LARGEST_NUMBER: Final = 10**9
#: A run's end takes a moment; a recording that ends this much earlier lacks something.
_MISSED_S: Final = 3.0


@dataclass
class CameraRoutes:
    """The handlers. wall_s: the wall clock, as files are stamped with it."""

    camera: CameraSection
    paths: Paths
    store: StoreThreads
    disk: Disk
    wall_s: Callable[[], float] = time.time
    _watching: int = 0

    def install(self, site: Site) -> None:
        """Add the routes."""
        site.route("GET", "/api/camera", self.show)
        site.route("GET", "/api/camera/picture", self.picture)
        site.route("GET", "/api/jobs/<job_id>/camera", self.recording)
        site.route("GET", "/jobs/<job_id>/camera.mjpeg", self.download)
        site.route("GET", "/jobs/<job_id>/camera/<attempt>/<number>", self.recorded)

    def show(self, _request: Request) -> Response:
        """GET /api/camera."""
        return json_response(self.view())

    def view(self) -> CameraView:
        """Whether there is a picture, and if not, why."""
        if not self.camera.url:
            return CameraView(live=False, sentence="This robot has no camera.")
        if self._newest():
            return CameraView(live=True, sentence="")
        why = self.store.read(lambda rows: rows.fact(facts.CAMERA))
        return CameraView(live=False, sentence=why or "The camera has not sent a picture yet.")

    def picture(self, request: Request) -> Response:
        """GET /api/camera/picture?than=N: the newest picture, waiting for one newer than N; 204 where none comes."""
        than = _number(request.query.get("than", "0"), 2**53)
        if self._watching >= _MOST_WATCHING:
            return Response(status=204, headers={"Cache-Control": "no-store", "Retry-After": "2"})
        self._watching += 1
        try:
            newest = self._newer(than) if self.camera.url else 0
        finally:
            self._watching -= 1
        if not newest:
            return Response(status=204, headers={"Cache-Control": "no-store"})
        content = self.disk.piece(self.paths.camera_picture, 0, MOST_BYTES).content
        return Response(content, content_type=JPEG, headers={"Cache-Control": "no-store", NUMBER: str(newest)})

    def recording(self, request: Request) -> Response:
        """GET /api/jobs/ID/camera."""
        job = self._job(request)
        path = self.paths.recording(job.id, job.attempt)
        lines = self.disk.piece(path.with_suffix(".csv"), listing.WIDTH, _LIST_BYTES).content
        times_s = [round(entry.taken_at - (job.started_at or 0.0), 3) for entry in listing.entries(lines)]
        size = job_files.size_bytes(path)
        if not times_s or not size:
            return json_response(
                Recording(
                    attempt=job.attempt, times_s=[], size_bytes=0, url="", sentence="There is no recording of this run."
                )
            )
        missing_s = (job.ended_at - (job.started_at or 0.0) if job.ended_at else 0.0) - times_s[-1]
        sentence = f"The recording ends {missing_s:.0f} s before the run did." if missing_s > _MISSED_S else ""
        url = f"/jobs/{job.id}/camera.mjpeg"
        return json_response(
            Recording(attempt=job.attempt, times_s=times_s, size_bytes=size, url=url, sentence=sentence)
        )

    def recorded(self, request: Request) -> Response:
        """GET /jobs/ID/camera/ATTEMPT/N."""
        job, given = self._job(request), request.arguments
        attempt, number = (_number(given[name], _LARGEST_NUMBER) for name in ("attempt", "number"))
        path = self.paths.recording(job.id, attempt)
        line = self.disk.piece(path.with_suffix(".csv"), listing.place(number), listing.WIDTH).content
        for entry in listing.entries(line):
            content = self.disk.piece(path, entry.offset, entry.size).content
            if len(content) == entry.size:
                return Response(content, content_type=JPEG, headers={"Cache-Control": "private, max-age=86400"})
        raise Refusal(404, "no_picture", "There is no such picture in the recording of this run, or no longer.")

    def download(self, request: Request) -> Response:
        """GET /jobs/ID/camera.mjpeg: what ffmpeg and VLC play."""
        job = self._job(request)
        try:
            stream = self.disk.open(self.paths.recording(job.id, job.attempt))
        except OSError:
            raise Refusal(404, "no_recording", "There is no recording of this run, or no longer.") from None
        headers = {
            "Content-Length": str(stream.size_bytes),
            "Content-Disposition": f'attachment; filename="{job.id}.mjpeg"',
            "Cache-Control": "no-store",
        }
        return Response(stream, content_type="video/x-motion-jpeg", headers=headers)

    def _newest(self) -> int:
        """When the newest picture was put down, ms since the epoch, which also numbers it; 0 while there is none that is live."""
        try:
            stamp_ms = os.stat(self.paths.camera_picture).st_mtime_ns // 1_000_000
        except OSError:
            return 0
        return stamp_ms if self.wall_s() - stamp_ms / 1e3 < _STALE_S else 0

    def _newer(self, than: int) -> int:
        """The number of a picture that isn't `than`; 0 if none comes. After the clock was set back, older numbers are newer."""
        until_s = time.monotonic() + _PATIENCE_S
        while (newest := self._newest()) in (0, than):
            if time.monotonic() >= until_s:
                return 0
            gevent.sleep(_LOOK_S)
        return newest

    def _job(self, request: Request) -> Job:
        return self.store.read(lambda rows: job_views.find(rows, request.arguments["job_id"]))


def _number(text: str, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20) or int(text) > most:
        raise Refusal(400, "bad_number", "Give a whole number, such as the one in the header Picture-Number.")
    return int(text)
