"""How does a job get into the fleet, and its end back to where it was submitted?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from appliance.federation import claiming, joblog, listing, live
from appliance.federation.desk import Submission
from appliance.federation.entries import Cancel, Done
from appliance.federation.joblog import JobLog, Phase, Slot
from appliance.federation.listing import Seen
from appliance.federation.requests import Fetch, List, Send, Status, Talk
from appliance.federation.station import Made, Station
from appliance.federation.timing import has_expired, stretched

#: A job of a higher priority sorts as if it had been submitted so much earlier, s.
HEAD_START_S: Final = 120.0
_SLOWEST: Final = 4.0
_PATIENCE: Final = 3.0  # rounds of the bell that an open job waits before others are told where it is


def submit(station: Station, submission: Submission) -> Talk[bool]:
    """Send one submission; False if the fleet can't be reached. The name is remembered first: trying again makes no second job."""
    spec, number = submission.spec, submission.number
    if not spec.archive.inline:
        key = station.keys.archive(spec.archive.sha256)
        reply = yield from station.carry(Send(key, submission.archive, spec.archive.sha256, spec.archive.size_bytes))
        if reply.status is not Status.OK:
            return False
    job, sealed = submission.job, submission.sealed
    if not job:
        job = station.new_job(HEAD_START_S * spec.priority)
        named = msgspec.structs.replace(
            spec, fleet=station.roster.fleet, job=job, slot=0, prev="", by=station.me, nonce=station.nonce()
        )
        sealed = station.identity.seal(named, odd=True)
        station.desk.name(number, job, sealed)
    made = yield from station.create(station.keys.slot(job, 0), sealed)
    if made is Made.TAKEN:  # one of an earlier try's writes, or nobody's: the bytes decide
        reply = yield from station.read(station.keys.slot(job, 0))
        made = Made.MADE if reply.body == sealed else Made.UNSURE
    if made is not Made.MADE:
        return False
    station.desk.sent(number)
    station.must_ring = True
    if spec.priority > 0:
        station.hint(job)
    return True


def cancel(station: Station, own: Submission) -> Talk[bool]:
    """End a job that its submitter doesn't want any more; False if that has to be tried again."""
    slots = yield from station.whole_log(own.job)
    if not slots:
        return False
    log = joblog.read(station.roster, own.job, slots)
    if log.phase in {Phase.OPEN, Phase.HELD}:
        entry = Cancel(
            fleet=station.roster.fleet, job=own.job, slot=log.next_slot, prev=log.tip, by=station.me,
            nonce=station.nonce(),
        )  # fmt: skip
        sealed = station.identity.seal(entry, odd=False)
        if (yield from station.create(station.keys.slot(own.job, log.next_slot), sealed)) is not Made.MADE:
            return False
    return True


class Watch:
    """Looks after this member's own jobs. One page of names for all of them; only what has ended is read."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._slowness = 1.0
        self._seen: dict[str, tuple[int, Phase]] = {}
        self._from = ""
        self._unwanted: frozenset[str] = frozenset()
        self.due_s = float("inf")

    def heed(self) -> None:
        """Somebody may have cancelled a job: then look at once."""
        unwanted = self._station.desk.unwanted()
        if unwanted - self._unwanted:
            self.due_s = self._station.now_s
        self._unwanted = unwanted

    def expect(self) -> None:
        """A job was sent: look in a while."""
        self._slowness = 1.0
        pace_s = stretched(self._pace_s(self._station.desk.waiting()), self._station.rng)
        self.due_s = min(self.due_s, self._station.now_s + pace_s)

    def _pace_s(self, waiting: Iterable[Submission]) -> float:
        """How long to the next look: as short as somebody wants who looks on."""
        live = [own.spec.live_s for own in waiting if own.spec.live_s > 0.0]
        return min([self._station.timing.watch_s * self._slowness, *live])

    def look(self) -> Talk[None]:
        """One look at the oldest own jobs that are out; the next ones go on behind a full page."""
        station = self._station
        waiting = {own.job: own for own in station.desk.waiting()}
        if not waiting:
            self.due_s, self._seen, self._from = float("inf"), {}, ""
            return
        first = min((job for job in waiting if job > self._from), default="") or min(waiting)
        prefix = station.keys.queue
        reply = yield from station.ask(List(prefix, prefix + listing.before(first)))
        if reply.status is not Status.OK:
            self.due_s = station.now_s + station.patience_s()
            return
        shown = listing.jobs(prefix, reply.rows, truncated=reply.truncated)
        progress = False
        for seen in shown:
            if seen.job in waiting and (yield from self._attend(waiting[seen.job], seen, reply.date_s)):
                progress = True
        last = shown[-1].job if shown and reply.truncated else ""
        more = bool(last) and any(job > last for job in waiting)
        self._from = last if more else ""
        self._slowness = 1.0 if progress else min(self._slowness * 1.5, _SLOWEST)
        pace_s = station.timing.retry_s if more else self._pace_s(waiting.values())
        self.due_s = station.now_s + stretched(pace_s, station.rng)

    def _attend(self, own: Submission, seen: Seen, date_s: float) -> Talk[bool]:
        """Do what one own job needs; True if something has changed."""
        station = self._station
        late = has_expired(seen.changed_s, date_s, station.timing.lease_s)
        changed = self._seen.get(own.job) != (seen.top, seen.phase)
        self._seen[own.job] = (seen.top, seen.phase)
        if seen.phase is Phase.OPEN and date_s - seen.changed_s > _PATIENCE * station.timing.bell_s:
            station.hint(own.job)
        if own.job in self._unwanted and seen.phase is not Phase.ENDED:
            return (yield from cancel(station, own))
        lively = own.spec.live_s > 0.0 and seen.phase is Phase.HELD
        if seen.phase is Phase.ENDED or late or lively or (seen.phase is Phase.OPEN and changed):
            yield from self._read(own, seen, late=late)
        elif changed:
            station.desk.saw(own.job, seen.phase, "")
        return changed

    def _read(self, own: Submission, seen: Seen, *, late: bool) -> Talk[None]:
        station = self._station
        if seen.top == 0:
            station.desk.saw(own.job, Phase.OPEN, "")
            return
        (slots,) = yield from claiming.ends(station, [seen])
        if slots is None:
            return
        slots[0] = Slot(own.sealed, seen.rows[0].written_s)
        log = joblog.read(station.roster, own.job, slots)
        claiming.report(station, log)
        if log.phase is Phase.HELD and late:
            log = yield from claiming.steal(station, log, slots)
        elif log.phase is Phase.OPEN and seen.phase is not Phase.OPEN:
            yield from claiming.nudge(station, log)
        if log.phase is Phase.ENDED:
            yield from self._settle(own, log)
        else:
            station.desk.saw(own.job, log.phase, log.holder)
            if log.phase is Phase.HELD and own.spec.live_s > 0.0:
                yield from live.listen(station, own.job, log.holder, log.token)

    def _settle(self, own: Submission, log: JobLog) -> Talk[None]:
        """Bring the end home."""
        station = self._station
        files: dict[str, str] = {}
        if isinstance(log.ending, Done):
            for file in log.ending.files:
                path = station.desk.place(file.sha256)
                key = station.keys.result(log.ended_by, own.job, file.sha256)
                reply = yield from station.carry(Fetch(key, path, file.sha256, file.size_bytes))
                if reply.status is not Status.OK:
                    if reply.status is Status.MISSING:
                        station.desk.complain(log.ended_by, f"Job {own.job} ended, and its {file.name} isn't there.")
                    self._seen.pop(own.job, None)
                    return
                files[file.name] = path
        station.desk.deliver(log, files)
        self._seen.pop(own.job, None)
