"""Who is at the door, and who has gone? The remote programs that wait or drive; pure.

A program is known by its person and the random number that it chose, so that it is the same one after a lost connection.
It has vanished when its connection has ended, it was not heard for `ABSENCE_S`, and it hasn't come back within `GRACE_S`.
libzmq ends a connection on which no heartbeat is answered, so that a cable that was pulled looks like the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Together with libzmq's heartbeats below 2 s: 0.25 until one is due, 1.25 until its answer is overdue, and GRACE_S.
HEARTBEAT_S: Final = 0.25
HEARTBEAT_TIMEOUT_S: Final = 1.25
ABSENCE_S: Final = 1.6
GRACE_S: Final = 0.25

Key = tuple[str, int]


@dataclass
class Visitor:
    """One program. peer: ZeroMQ's name of its connection; fd: the connection's number, for its end.

    job_id: '' until its place in the queue is known. lost_s: when its connection ended.
    """

    name: str
    client: int
    title: str
    address: str
    peer: bytes
    fd: int
    heard_s: float
    job_id: str = ""
    told: str = ""
    position: int = 0
    lost_s: float | None = None
    losses: int = 0

    @property
    def key(self) -> Key:
        """What it is known by."""
        return (self.name, self.client)

    def has_vanished(self, now_s: float) -> bool:
        """Whether nobody waits for it any longer."""
        return self.lost_s is not None and now_s >= max(self.heard_s + ABSENCE_S, self.lost_s + GRACE_S)


class Visitors:
    """All of them."""

    def __init__(self) -> None:
        self._known: dict[Key, Visitor] = {}

    def __len__(self) -> int:
        return len(self._known)

    def find(self, key: Key) -> Visitor | None:
        """The one that is known by it."""
        return self._known.get(key)

    def of_job(self, job_id: str) -> Visitor | None:
        """The one that waits for, or drives in, a job."""
        return next((visitor for visitor in self._known.values() if visitor.job_id == job_id), None)

    def all(self) -> list[Visitor]:
        """In the order in which they came."""
        return list(self._known.values())

    def enter(self, visitor: Visitor) -> None:
        """A new one."""
        self._known[visitor.key] = visitor

    def leave(self, visitor: Visitor) -> None:
        """It is gone; idempotent."""
        self._known.pop(visitor.key, None)

    def heard(self, visitor: Visitor, peer: bytes, fd: int, now_s: float) -> float | None:
        """It has said something, maybe over a new connection; how long it was away if it was, s."""
        away_s = None if visitor.lost_s is None else now_s - visitor.lost_s
        visitor.peer, visitor.fd, visitor.heard_s, visitor.lost_s = peer, fd, now_s, None
        return away_s

    def lost(self, fd: int, now_s: float) -> list[Visitor]:
        """A connection has ended; returns whose it was."""
        whose = [visitor for visitor in self._known.values() if visitor.fd == fd and visitor.lost_s is None]
        for visitor in whose:
            visitor.lost_s, visitor.losses = now_s, visitor.losses + 1
        return whose

    def vanished(self, now_s: float) -> list[Visitor]:
        """Those that nobody waits for any longer."""
        return [visitor for visitor in self._known.values() if visitor.has_vanished(now_s)]
