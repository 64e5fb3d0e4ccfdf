"""Who fetches repositories that go to the fleet? The runner's process, as it alone may; one after the other, in a thread.

The fleet's process waits until the job has a commit: then its archive lies where uploads are.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from appliance.errors import BadSource, Cancelled, IsolationError
from appliance.jobs import Reason, State
from appliance.store import Job, Store

#: How soon a new one is seen, and how long until one is tried again that failed by the appliance's fault.
ROUND_S: Final = 0.5
_AGAIN_S: Final = 20.0

_log = logging.getLogger("runner")

#: Packs a job's repository and returns the commit; the second argument says whether to give up.
Pack = Callable[[Job, Callable[[], bool]], str]


def serve(store: Store, pack: Pack, stopping: threading.Event) -> None:
    """Until told to stop. `store` is this thread's own."""
    again_s: dict[str, float] = {}
    while not stopping.wait(ROUND_S):
        for job in waiting(store):
            if time.monotonic() >= again_s.get(job.id, 0.0) and not stopping.is_set():
                again_s[job.id] = time.monotonic() + _AGAIN_S
                _fetch(store, job, pack, stopping)


def waiting(store: Store) -> list[Job]:
    """Repositories that nobody has fetched yet, oldest first."""
    return [job for job in store.away() if job.source_kind == "git" and not job.commit_id and not job.cancel_requested]


def _fetch(store: Store, job: Job, pack: Pack, stopping: threading.Event) -> None:
    _log.info("%s is fetched for the fleet", job.id)
    store.follow(
        job.id, time.time(), detail="The repository is fetched and packed, so that every robot runs the same bytes."
    )
    try:
        commit = pack(job, lambda: stopping.is_set() or store.get(job.id).cancel_requested)
    except BadSource as error:
        ended = {"state": State.FAILED, "reason": Reason.BAD_SOURCE, "detail": str(error), "ended_at": time.time()}
        store.follow(job.id, time.time(), **ended)
    except Cancelled:
        _log.info("%s isn't wanted any more, or the runner stops", job.id)
    except (IsolationError, OSError) as error:
        _log.warning("%s can't be fetched: %s", job.id, error)
        store.follow(job.id, time.time(), detail=f"The repository can't be fetched now ({error}). It is tried again.")
    else:
        store.follow(job.id, time.time(), commit_id=commit, detail="Packed; on its way to the fleet.")
