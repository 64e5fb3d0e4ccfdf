"""How do other processes speak to the guard? One JSON line each way over a Unix stream socket.

Three sockets carry three rights, told apart by file permission alone: `stop` (every local service, the command line),
`resume` (web UI and command line) and `runner` (settle, arm, start, lease, disarm). `status` is answered on all of them.
Several requests may follow each other on one connection; each gets one reply, in order. A `settle` is answered when
it is done, so whoever must refresh a lease meanwhile uses a second connection.
"""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import Final

import msgspec

from appliance.errors import RobotError

MAX_LINE_BYTES: Final = 4096
_TIMEVAL: Final = struct.Struct("@ll")


class Stop(msgspec.Struct, frozen=True, tag="stop"):
    """Emergency stop: motor off at once, latched (also across a restart) until resumed."""

    who: str = ""
    why: str = ""


class Resume(msgspec.Struct, frozen=True, tag="resume"):
    """Clear an emergency stop and a fault, and put a robot that is out of service back into it."""

    who: str = ""


class Status(msgspec.Struct, frozen=True, tag="status"):
    """How is the robot?"""


class Settle(msgspec.Struct, frozen=True, tag="settle"):
    """Bring the robot to rest, and test it; the reply comes then."""

    timeout_s: float


class Arm(msgspec.Struct, frozen=True, tag="arm"):
    """Open session `session` (16 hex digits, random, the session's nonce): segment, job socket, time limit.

    The job socket stands in `Paths.session(session)` and belongs to group `job_gid`, mode 0660.
    """

    session: str
    job_id: str
    limit_s: float
    job_gid: int


class Start(msgspec.Struct, frozen=True, tag="start"):
    """run.py has started: clock and deadline of the session run from now."""

    session: str


class Lease(msgspec.Struct, frozen=True, tag="lease"):
    """The runner lives; without this for `realtime.lease_s` the session ends."""

    session: str


class Disarm(msgspec.Struct, frozen=True, tag="disarm"):
    """The session is over: motor off, socket unlinked. Idempotent. The segment stays for the runner."""

    session: str


Request = Stop | Resume | Status | Settle | Arm | Start | Lease | Disarm
RIGHTS: Final[dict[str, tuple[type[msgspec.Struct], ...]]] = {
    "stop": (Stop, Status),
    "resume": (Resume, Status),
    "runner": (Settle, Arm, Start, Lease, Disarm, Status),
}


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The guard's answer. `error` is empty or says what to do. The rest is the robot's state after the request.

    state: RobotState's name in lower case. fault: Fault's name in lower case, 'none' if none. session: 16 hex digits or
    empty. ending: Ending's name in lower case of the last session. settle_s: duration of the settling just done,
    self_test_s and friction_rad_s2: of the self-test after it. fault_detail: why the robot is out of service. faults: how often
    each fault has been seen since the guard started, self_tests_passed, self_tests_failed: how the self-tests came out.
    """

    ok: bool = True
    error: str = ""
    state: str = "disarmed"
    fault: str = "none"
    stopped: bool = False
    stop_who: str = ""
    stop_why: str = ""
    session: str = ""
    ending: str = ""
    settle_s: float = 0.0
    zero_correction_counts: int = 0
    self_test_s: float = 0.0
    friction_rad_s2: float = 0.0
    fault_detail: str = ""
    faults: dict[str, int] = {}
    self_tests_passed: int = 0
    self_tests_failed: int = 0
    loop_alive: bool = True
    gateway_alive: bool = True


#: What decode_request() raises on bytes that are no request; a text that isn't UTF-8 has an error of its own.
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
decode_request: Final = msgspec.json.Decoder(Request).decode
_encode: Final = msgspec.json.Encoder().encode
_decode_reply: Final = msgspec.json.Decoder(Reply).decode


class GuardClient:
    """A connection to the guard with one right. Raises RobotError when the guard refuses or doesn't answer."""

    def __init__(self, path: Path, timeout_s: float = 2.0) -> None:
        self._timeout_s = timeout_s
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # While others flood the guard, connect() must wait for a place; with settimeout() it would fail at once.
        self._socket.setsockopt(
            socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.pack(*divmod(round(timeout_s * 1e6), 10**6))
        )
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise RobotError(
                f"The robot's guard can't be reached ({error.strerror}). Is raas-realtime running?"
            ) from error
        self._stream = self._socket.makefile("rb")

    def ask(self, request: Request, timeout_s: float | None = None) -> Reply:
        """Send a request, wait for its reply and return it, also when it says no."""
        self._socket.settimeout(self._timeout_s if timeout_s is None else timeout_s)
        try:
            self._socket.sendall(_encode(request) + b"\n")
            line = self._stream.readline(MAX_LINE_BYTES)
        except OSError as error:
            raise RobotError(f"The robot's guard doesn't answer ({error}).") from error
        if not line.endswith(b"\n"):
            raise RobotError("The robot's guard closed the connection. Is it restarting?")
        return _decode_reply(line)

    def demand(self, request: Request, timeout_s: float | None = None) -> Reply:
        """Like ask(), but a refusal raises RobotError with the guard's words."""
        reply = self.ask(request, timeout_s)
        if not reply.ok:
            raise RobotError(reply.error)
        return reply

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()
        self._socket.close()

    def __enter__(self) -> GuardClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
