"""How does the history stay small? Logs that ended long ago move into an index, and the watermark after them.

Everything at or below the watermark has ended, is in the index, and is looked at by nobody: those slots may be deleted.
Nothing above it ever is. Of the members with the role `compactor` one is elected (`election`); the head is compare-and-swap,
so two at once would only waste work. Segments form a chain from the newest back.
"""

from __future__ import annotations

import gzip
import hashlib

import msgspec

from appliance.federation import claiming, joblog, listing
from appliance.federation.election import ROLE, Election
from appliance.federation.entries import Cancel, Done, File, Outcome
from appliance.federation.joblog import JobLog, Phase
from appliance.federation.listing import Seen
from appliance.federation.requests import List, Put, Status, Talk
from appliance.federation.signing import Roster, Untrusted
from appliance.federation.station import Made, Station
from appliance.federation.timing import stretched


class Line(msgspec.Struct, frozen=True):
    """One job of the index."""

    job: str
    by: str
    attempts: int
    outcome: Outcome
    files: tuple[File, ...] = ()


class Segment(msgspec.Struct, frozen=True):
    """Some jobs in order; `before` is the SHA-256 of the segment before this one."""

    before: str
    lines: tuple[Line, ...]


class Head(msgspec.Struct, frozen=True):
    """`idx/head`, signed by the compactor: the last job that the index holds, and its newest segment."""

    fleet: str
    watermark: str = ""
    newest: str = ""
    jobs: int = 0


def opened_head(roster: Roster, sealed: bytes) -> Head | None:
    """The head, or None if no compactor of this fleet wrote it."""
    try:
        content, author = roster.open(sealed)
        head = msgspec.json.decode(content, type=Head)
    except (Untrusted, msgspec.DecodeError):
        return None
    return head if head.fleet == roster.fleet and ROLE in author.roles else None


class Compactor:
    """The compactions of one member. due_s: when the next is, on the local monotonic clock; watermark: the newest known."""

    def __init__(self, station: Station) -> None:
        self._station, self.election = station, Election(station)
        self.due_s, self.watermark = float("-inf"), ""

    def compact(self) -> Talk[None]:
        """Move one page of ended jobs, if this member is the one who does it."""
        station = self._station
        self.due_s = station.now_s + stretched(station.timing.compact_s, station.rng)
        if not (yield from self.election.is_won()):
            return
        reply = yield from station.read(station.keys.index_head)
        head = opened_head(station.roster, reply.body) if reply.status is Status.OK else Head(station.roster.fleet)
        if head is None:
            station.desk.complain("", "The index of the fleet was not written by one of its compactors.")
            return
        if reply.status not in {Status.OK, Status.MISSING}:
            return
        self.watermark, prefix = head.watermark, station.keys.queue
        page = yield from station.ask(List(prefix, f"{prefix}{head.watermark}/9999" if head.watermark else ""))
        if page.status is not Status.OK:
            return
        seen = listing.jobs(prefix, page.rows, truncated=page.truncated)
        logs = yield from self._ended(seen, page.date_s)
        if logs and (yield from self._publish(head, reply.etag, logs)) and page.truncated:
            self.due_s = station.now_s

    def _ended(self, seen: list[Seen], date_s: float) -> Talk[list[JobLog]]:
        """The logs of the first jobs that have ended long ago, up to the first that has not."""
        station = self._station
        old = []
        for job in seen:
            if date_s - job.changed_s < station.timing.horizon_s:
                break
            old.append(job)
        logs: list[JobLog] = []
        slots = yield from claiming.ends(station, old)
        for job, found in zip(old, slots, strict=True):
            if found is None:
                break
            log = joblog.read(station.roster, job.job, found)
            if log.phase is Phase.HELD:
                log = yield from claiming.steal(station, log, found)
            if log.phase is Phase.OPEN and job.phase is not Phase.OPEN:
                yield from claiming.nudge(station, log)
            elif log.phase is Phase.OPEN:
                station.hint(log.job)
            if log.phase not in {Phase.ENDED, Phase.VOID}:
                break
            logs.append(log)
        return logs

    def _publish(self, head: Head, etag: str, logs: list[JobLog]) -> Talk[bool]:
        station = self._station
        lines = tuple(_line(log) for log in logs)
        body = gzip.compress(msgspec.json.encode(Segment(head.newest, lines)), mtime=0)
        name = hashlib.sha256(body).hexdigest()
        made = yield from station.create(station.keys.index_segment(name), body)
        if made in {Made.UNSURE, Made.DENIED}:
            return False
        new = Head(head.fleet, logs[-1].job, name, head.jobs + len(logs))
        sealed = station.identity.seal(new)
        reply = yield from station.ask(Put(station.keys.index_head, sealed, create=not etag, if_etag=etag))
        return reply.status is Status.OK


def _line(log: JobLog) -> Line:
    if isinstance(log.ending, Done):
        return Line(log.job, log.ended_by, log.attempts, log.ending.outcome, log.ending.files)
    state = "cancelled" if isinstance(log.ending, Cancel) else "failed"
    return Line(log.job, log.ended_by, log.attempts, Outcome(state))
