"""What stands for the cell of a program that runs elsewhere? A line to the lease service, which relays for it.

To the runner it is a cell like any other: it waits for the word, ends by itself or is ended, and says how it was.
"""

from __future__ import annotations

import select
import shutil
import socket
import struct
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final

from appliance.errors import EngineError, RaasError
from appliance.intake.preparing import Prepared
from appliance.lease.line import BadLine, Begin, End, Ended, Fetch, Here, Line, Said, from_service
from appliance.paths import Paths
from appliance.running.cell import Cell, Exit, Finding, Spec
from appliance.running.output import Capture
from appliance.store import Job
from gym_raas.wire import SOCKET_NAME

_ANSWER_S: Final = 5.0
_CREDENTIALS: Final = struct.Struct("3i")
_SERVICE_GONE: Final = "The appliance's lease service went away."


class ClientGone(RaasError):
    """Nobody is there any more who would drive."""


class RemoteCell:
    """One lease, from the word to its end."""

    def __init__(self, line: Line, spec: Spec, limit_s: float) -> None:
        self._line, self._socket, self._limit_s = line, spec.session / SOCKET_NAME, limit_s
        self._capture: Capture | None = None
        self._ended: Ended | None = None

    def start(self, capture: Capture) -> None:
        """Let it drive; what the service says of it is the job's output."""
        self._capture = capture
        self._line.say(Begin(str(self._socket), self._limit_s))

    def wait(self, timeout_s: float) -> bool:
        """Whether it has ended within the time, or the service has gone."""
        until_s = time.monotonic() + timeout_s
        while not self._is_over:
            left_s = max(0.0, until_s - time.monotonic())
            if not select.select([self._line.connection], [], [], left_s)[0]:
                return False
            self._hear()
        return True

    def terminate(self) -> None:
        """Tell whoever drives that the time is up, or the job cancelled."""
        self._line.say(End("Your lease is over: its time is up, or its job was cancelled."))

    def kill(self) -> None:
        """End it, whatever it does."""
        self._line.say(End("Your lease is over: the robot's session was ended. The job's page says why."))

    def finish(self) -> Exit:
        """How it ended."""
        self.wait(_ANSWER_S)
        ended = self._ended or Ended(_SERVICE_GONE)
        return Exit(None if ended.why else 0, False, gone=ended.why, network=ended.network)

    def remove(self) -> None:
        """Hang up."""
        self._line.close()

    @property
    def _is_over(self) -> bool:
        return self._ended is not None or self._line.is_over

    def _hear(self) -> None:
        try:
            for line in self._line.hear():
                message = from_service(line)
                if isinstance(message, Ended):
                    self._ended = message
                elif isinstance(message, Said) and self._capture is not None:
                    self._capture.feed(message.text.encode() + b"\n")
        except BadLine:
            self._line.close()


class Elsewhere:
    """Makes the one cell of a lease's job. `gid`: the group that gets the job's socket, the service's own."""

    def __init__(self, path: Path, job_id: str, limit_s: float) -> None:
        """Ask whether somebody waits for this job. Raises ClientGone."""
        self._limit_s = limit_s
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(path))
        except OSError as error:
            connection.close()
            raise ClientGone("The lease service doesn't run, so nobody is there to drive.") from error
        self.gid = _CREDENTIALS.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))[
            2
        ]
        self._line = Line(connection)
        self._line.say(Fetch(job_id))
        if not _is_here(self._line):
            self._line.close()
            raise ClientGone("The program that wanted to drive has gone.")

    def create(self, spec: Spec) -> Cell:
        """The cell."""
        return RemoteCell(self._line, spec, self._limit_s)

    def problem(self) -> str:
        """None: it was asked for already."""
        return ""

    def prove(self, waiting: Cell, output: Path) -> tuple[Finding, ...]:  # noqa: ARG002 - of the protocol
        """There is no limit to try: nothing of it runs here."""
        return ()

    def version(self) -> str:
        """Of nothing that runs here."""
        raise EngineError("A program elsewhere has no version here.")

    def sweep(self, keep: Collection[str] = ()) -> int:  # noqa: ARG002 - of the protocol
        """Nothing of it is left anywhere; the next cells are the engine's to sweep."""
        return 0


def nothing_to_prepare(job: Job, paths: Paths) -> Prepared:
    """The source of a job whose program runs elsewhere: an empty folder."""
    source = paths.source(job.id)
    if source.exists():
        shutil.rmtree(source)
    source.mkdir(parents=True)
    return Prepared("", 0, 0)


def _is_here(line: Line) -> bool:
    """Whether the service says so in time."""
    if not select.select([line.connection], [], [], _ANSWER_S)[0]:
        return False
    try:
        return any(isinstance(from_service(each), Here) for each in line.hear())
    except BadLine:
        return False
