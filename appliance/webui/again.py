"""How does a job's program run again? Queued anew: from the same commit, or from the source that is kept of it.

The source never leaves the appliance; whoever may submit may have it run again, as from the page of a git job.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from appliance.errors import Conflict
from appliance.store import Job
from appliance.webui import job_views
from appliance.webui.job_views import Lens
from appliance.webui.store_threads import StoreThreads
from appliance.webui.submissions import Counter
from appliance.webui.threads import Threads
from appliance.webui.web import Request, Response, Site, json_response

_GONE: Final = (
    "The source of this job isn't kept here (it ran elsewhere, or made room on the disk). Submit it again, or replay its "
    "actions with `raas replay JOB --on-robot`."
)


@dataclass(frozen=True)
class Again:
    """The handler over the kept sources."""

    store: StoreThreads
    counter: Counter
    disk: Threads
    lens: Callable[[], Lens]

    def install(self, site: Site) -> None:
        """Add the route."""
        site.route("POST", "/api/jobs/<job_id>/again", self.again)

    def again(self, request: Request) -> Response:
        """POST /api/jobs/ID/again: 201 and the new job. Raises Conflict where nothing is kept to run."""
        job = self.store.read(lambda store: job_views.find(store, request.arguments["job_id"]))
        queued = self.counter.again(request, job, self._archive(job))
        view = self.store.read(lambda store: job_views.one(store, self.lens(), queued.id))
        return json_response(view, 201, Location=f"/api/jobs/{queued.id}")

    def _archive(self, job: Job) -> bytes:
        """The kept source; nothing for a job that is fetched by its commit."""
        if job.source_kind == "git":
            return b""
        if job.lease_s is not None:
            raise Conflict("This program ran elsewhere and drove over the network. Start it there again.")
        folder = self.lens().paths.source(job.id)
        try:
            return self.disk.call(packed, folder)
        except OSError as error:  # absent, or cleared in between
            raise Conflict(_GONE) from error


def packed(folder: Path) -> bytes:
    """A folder as tar.gz. Raises OSError."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name)
    return buffer.getvalue()
