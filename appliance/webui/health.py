"""Which parts of the appliance work? What `GET /healthz` answers, part by part."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from appliance import facts
from appliance.config import Config
from appliance.errors import RaasError
from appliance.paths import Paths
from appliance.webui.board import Board
from appliance.webui.robot_view import OFFLINE
from appliance.webui.store_threads import StoreThreads

OK: Final = "ok"
_SILENT_AFTER_S: Final = 3.0 * facts.HEARTBEAT_S


@dataclass(frozen=True)
class Doctor:
    """Examines each part. `now_s` is the wall clock."""

    config: Config
    paths: Paths
    board: Board
    store: StoreThreads
    now_s: Callable[[], float]

    def examine(self) -> dict[str, str]:
        """Part -> 'ok', or what is wrong."""
        try:
            database, runner = OK, self._runner(self.store.read(lambda rows: rows.fact(facts.RUNNER_HEARTBEAT)))
        except (sqlite3.Error, RaasError) as error:
            database, runner = f"The database can't be read: {error}", "unknown: the database can't be read"
        return {"database": database, "disk": self._disk(), "realtime": self._realtime(), "runner": runner}

    def _realtime(self) -> str:
        robot = self.board.robot()
        if self.board.guard_problem:
            return self.board.guard_problem
        return robot.sentence if robot.state in (OFFLINE, "fault") else OK

    def _runner(self, heartbeat: str) -> str:
        if not heartbeat:
            return "The runner has never reported. Is raas-runner running?"
        silent_s = self.now_s() - float(heartbeat)
        return (
            OK
            if silent_s < _SILENT_AFTER_S
            else f"The runner has been silent for {silent_s:.0f} s. Is raas-runner running?"
        )

    def _disk(self) -> str:
        free_mb = shutil.disk_usage(self.paths.data).free // 2**20
        least_mb = self.config.storage.min_free_mb
        return (
            OK
            if free_mb >= least_mb
            else f"{free_mb} MiB free; jobs wait until {least_mb} MiB are (storage.min_free_mb)."
        )
