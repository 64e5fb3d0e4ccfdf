"""As what is a job's run drawn? As the kind of robot that it was driven on, which its report names.

The appliance may have another one by now, and a job of the fleet may have run elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from appliance import attempts
from appliance.paths import Paths
from appliance.shapes import RobotView
from appliance.store import Job
from appliance.webui.board import Board
from appliance.webui.job_files import Disk
from gym_raas.kinds.known import KINDS

_MOST_BYTES: Final = 1024 * 1024


@dataclass(frozen=True)
class Driven:
    """Looks into reports, on a thread."""

    paths: Paths
    disk: Disk
    board: Board

    def robot(self, job: Job) -> RobotView:
        """The robot as it is now, but of the kind that has left the job's results, if there are any."""
        view = self.board.robot()
        kind = self._kind(job)
        return msgspec.structs.replace(view, kind=kind) if kind in KINDS else view

    def _kind(self, job: Job) -> str:
        folder = attempts.results_folder(self.paths, job) if job.state.is_final else None
        if folder is None:
            return ""
        return attempts.robot_kind(self.disk.piece(folder / attempts.REPORT, 0, _MOST_BYTES).content)
