"""Who keeps the robot armed for a job? A session at the guard, and a thread that refreshes its lease.

The robot needs no word from here to be safe: without the lease, or at the deadline, the loop disarms by itself.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from appliance.errors import RobotError
from appliance.realtime.control import Arm, Disarm, GuardClient, Lease, Reply, Settle, Start, Status
from appliance.running.verdict import SessionEnd

_REFRESHES_PER_LEASE: Final = 4
_ARM_TIMEOUT_S: Final = 5.0  # the guard allocates the session's memory


class Session:
    """An armed session. Raises RobotError where the guard refuses or doesn't answer. `end()` it in any case."""

    def __init__(self, control: Path, arm: Arm, lease_s: float) -> None:
        """Arm; from now on the lease is refreshed over the `runner` socket `control`."""
        self.over = threading.Event()
        self._number = arm.session
        self._last: Reply | None = None
        self._finished = threading.Event()
        self._guard = GuardClient(control)
        try:
            self._leases = GuardClient(control, timeout_s=lease_s)
            self._guard.demand(arm, _ARM_TIMEOUT_S)
        except RobotError:
            self._guard.close()
            raise
        self._thread = threading.Thread(target=self._refresh, args=(lease_s,), name="lease", daemon=True)
        self._thread.start()

    def start(self) -> None:
        """run.py has started: the deadline runs from now."""
        self._guard.demand(Start(self._number))

    def end(self) -> SessionEnd:
        """Motor off, session over; says how it ended. Never raises: a guard that doesn't answer holds nothing any more."""
        self._finished.set()
        try:
            reply: Reply | None = self._guard.ask(Disarm(self._number))
        except RobotError:
            reply = None
        self._thread.join()
        self._guard.close()
        self._leases.close()
        return _end(self._last, reply)

    def _refresh(self, lease_s: float) -> None:
        """Until the end: refresh; a session that the guard doesn't know any more is over."""
        while not self._finished.wait(lease_s / _REFRESHES_PER_LEASE):
            try:
                reply = self._leases.ask(Lease(self._number))
            except RobotError:
                self.over.set()
                return
            if not reply.ok or reply.session != self._number:
                self._last = reply
                self.over.set()
                return


def settle(control: Path, timeout_s: float) -> Reply:
    """Brake the pendulum until it hangs still. Raises RobotError."""
    with GuardClient(control) as guard:
        return guard.demand(Settle(timeout_s), timeout_s + 5.0)


def status(control: Path) -> Reply | None:
    """How the robot is; None if the guard doesn't answer."""
    try:
        with GuardClient(control) as guard:
            return guard.ask(Status())
    except RobotError:
        return None


def disarm_any(control: Path, session: str = "") -> None:
    """End `session`, or whatever session is armed; silent if there is none, or no guard."""
    try:
        with GuardClient(control) as guard:
            session = session or guard.ask(Status()).session
            if session:
                guard.ask(Disarm(session))
    except RobotError:
        pass  # without a guard nothing is armed: the loop is its child


def _end(seen: Reply | None, last: Reply | None) -> SessionEnd:
    """What the guard said first counts: afterwards it may have been resumed, or restarted without a memory."""
    for reply in (seen, last):
        if reply is not None and (reply.ending or reply.stopped or reply.state == "fault"):
            ending = reply.ending
            if not ending or ending == "disarmed":
                ending = "stopped" if reply.stopped else "fault" if reply.state == "fault" else "disarmed"
            return SessionEnd(ending, reply.fault, reply.stop_who, reply.stop_why)
    return SessionEnd("lost")
