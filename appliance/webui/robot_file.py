"""Which robot.yaml holds now, for page and API? Read and changed on a thread, one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from appliance.calibration import in_use
from appliance.calibration.in_use import RobotInUse
from appliance.errors import Conflict
from appliance.paths import Paths
from appliance.webui.threads import Threads
from gym_raas.parameters import PACKAGED, RobotFileError


@dataclass(frozen=True)
class RobotFile:
    """The robot's file and what was taken over it. disk: one thread, so that no two changes meet."""

    file: Path
    paths: Paths
    disk: Threads

    @property
    def shown(self) -> str:
        """The file as people know it."""
        return "the packaged file" if self.file == PACKAGED else str(self.file)

    def in_use(self) -> RobotInUse:
        """What holds now. Raises Conflict where robot.file can't be used."""
        try:
            return self.disk.call(in_use.load, self.file, self.paths)
        except RobotFileError as error:
            raise Conflict(f"{error}. Correct that file first.") from error

    def take(self, robot_yaml: str, job: str, by: str, at_s: float) -> None:
        """Let a fit hold from the next job on. Raises Conflict where it can't."""
        self.disk.call(lambda: in_use.take(self.file, self.paths, robot_yaml, job=job, by=by, at_s=at_s))

    def go_back(self) -> None:
        """Let what was before the newest fit hold. Raises Conflict if there is nothing."""
        self.disk.call(in_use.go_back, self.file, self.paths)
