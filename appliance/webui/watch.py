"""Who notices that something changed, and tells the hub? Three greenlets, each with its own rhythm.

Robot: up to 15 times a second while anything moves, else once a second as a heartbeat. Store and logs: five times a
second. Guard: once a second, apart from the others because it may keep one waiting.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

import gevent

from appliance.jobs import State
from appliance.shapes import JobView, LogView, QueueView, RobotView
from appliance.store import Event, Job, Store
from appliance.webui import job_files, job_views
from appliance.webui.board import Board
from appliance.webui.hub import Hub, rendered
from appliance.webui.job_views import Lens
from appliance.webui.store_threads import StoreThreads
from appliance.webui.web import encode_json

ROBOT_PERIOD_S: Final = 1.0 / 15.0
STORE_PERIOD_S: Final = 0.2
GUARD_PERIOD_S: Final = 1.0
HEARTBEAT_S: Final = 1.0
_LOG = logging.getLogger(__name__)


class Watch:
    """Keeps the board fresh and feeds the hub."""

    def __init__(self, board: Board, hub: Hub, store: StoreThreads, lens: Callable[[], Lens]) -> None:
        self._board = board
        self._hub = hub
        self._store = store
        self._lens = lens
        self._seq = store.read(Store.last_event)
        self._log_sizes: dict[tuple[str, int], int] = {}
        self._shown: RobotView | None = None
        self._shown_s = 0.0
        board.queue = store.read(lambda rows: job_views.queue(rows, lens()))

    def start(self) -> None:
        """Begin watching, in greenlets that live as long as the process."""
        gevent.spawn(_forever, self.look_at_robot, ROBOT_PERIOD_S)
        gevent.spawn(_forever, self.look_at_store, STORE_PERIOD_S)
        gevent.spawn(_forever, self._board.refresh_guard, GUARD_PERIOD_S)

    def look_at_robot(self) -> None:
        """Tell how the robot is, if it is news."""
        view, now_s = self._board.robot(), time.monotonic()
        if not _same(view, self._shown) or now_s - self._shown_s >= HEARTBEAT_S:
            self._shown, self._shown_s = view, now_s
            self._hub.publish(rendered("robot", encode_json(view)))

    def look_at_store(self) -> None:
        """Tell which jobs changed and whose output grew."""
        views, queue, logs = self._store.read(self._news)
        if queue is not None:
            self._board.queue = queue
            for seq, view in views:
                self._hub.publish(rendered("job", encode_json(view), seq))
            self._hub.publish(rendered("queue", encode_json(queue), self._seq))
        for log in logs:
            self._hub.publish(rendered("log", encode_json(log)))

    def _news(self, rows: Store) -> tuple[list[tuple[int, JobView]], QueueView | None, list[LogView]]:
        events, lens = rows.events_after(self._seq), self._lens()
        logs = self._grown_logs(rows, lens)
        if not events:
            return [], None, logs
        self._seq = events[-1].seq
        views = job_views.changed(rows, lens, last_changes(events))
        return views, job_views.queue(rows, lens), logs

    def _grown_logs(self, rows: Store, lens: Lens) -> list[LogView]:
        writing = [job for job in (*rows.active(), *rows.away()) if job.state in (State.RUNNING, State.COLLECTING)]
        sizes = {(job.id, job.attempt): _log_size(lens, job) for job in writing}
        before, self._log_sizes = self._log_sizes, sizes
        return [
            LogView(id=job_id, attempt=attempt, size=size)
            for (job_id, attempt), size in sizes.items()
            if before.get((job_id, attempt), 0) != size
        ]


def last_changes(events: list[Event]) -> dict[str, int]:
    """Job id -> number of its last event among these, in that order.

    Sent in this order, the number that a reader saw last says what it has missed.
    """
    last = {event.job_id: event.seq for event in events if event.job_id}
    return dict(sorted(last.items(), key=lambda change: change[1]))


def _log_size(lens: Lens, job: Job) -> int:
    return job_files.size_bytes(job_files.log_file(lens.paths, job))


def _same(new: RobotView, old: RobotView | None) -> bool:
    """Whether a person would see no difference."""
    if old is None:
        return False
    still = abs(new.angle_rad - old.angle_rad) < 1e-3 and new.action == old.action and new.session_s == old.session_s
    return still and (new.state, new.sentence, new.job_id, new.queue_length) == (
        old.state, old.sentence, old.job_id, old.queue_length,
    )  # fmt: skip


def _forever(look: Callable[[], None], period_s: float) -> None:
    """Call `look` again and again. An error is logged and tried again: the page must outlive a bad moment."""
    while True:
        try:
            look()
        except Exception:  # noqa: BLE001 - the edge of a greenlet; logged with its traceback
            _LOG.exception("watching failed, trying again")
            gevent.sleep(1.0)
        gevent.sleep(period_s)
