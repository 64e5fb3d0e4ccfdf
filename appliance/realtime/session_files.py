"""Which files does a session need before its motor may move? Folder for the job's socket, segment for its records."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from appliance.errors import RobotError
from appliance.paths import Paths
from appliance.realtime.telemetry import Segment, SegmentSize


@dataclass(frozen=True)
class SessionFiles:
    """Makes and removes what stands in the file system for a session."""

    paths: Paths
    rate_hz: int
    dt_s: float

    def create(self, session: int, limit_s: float) -> None:
        """Make folder and segment, or nothing. Raises RobotError."""
        folder, segment = self.paths.session(session), self.paths.segment(session)
        if segment.exists() or folder.is_symlink() or (folder.exists() and list(folder.iterdir())):
            raise RobotError("This session has been used before. Arm with a new one.")
        size = SegmentSize.for_limit(limit_s, self.rate_hz, self.dt_s)
        try:
            if not folder.exists():  # the runner has made it for a cell that waits already
                folder.mkdir(parents=True)
                folder.chmod(0o755)  # the cell's user looks in, whatever our umask is
            Segment.create(segment, session, size)
        except OSError as error:
            self.undo(session)
            what = f"{error.strerror}; {size.bytes} bytes of shared memory are needed"
            raise RobotError(f"The session's files can't be made ({what}).") from error

    def undo(self, session: int) -> None:
        """Remove folder and segment of a session that never was."""
        self.remove_folder(session)
        self.paths.segment(session).unlink(missing_ok=True)

    def remove_folder(self, session: int) -> None:
        """Remove the folder; the segment stays for the runner. Idempotent."""
        shutil.rmtree(self.paths.session(session), ignore_errors=True)

    def remove_old_folders(self) -> None:
        """Remove what an earlier guard left; segments are the runner's."""
        shutil.rmtree(self.paths.session(0).parent, ignore_errors=True)
