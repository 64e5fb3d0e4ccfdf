"""How does a member get a job? Reads the log, judges it, claims the next slot; or takes it from a holder that is gone."""

from __future__ import annotations

from typing import Final

import msgspec

from appliance.federation import entries, heartbeat, joblog
from appliance.federation.desk import Held
from appliance.federation.entries import MAX_ATTEMPTS, Claim, Done, Nudge, Spec, Steal
from appliance.federation.joblog import JobLog, Phase, Slot
from appliance.federation.listing import Seen
from appliance.federation.requests import Fetch, Row, Status, Talk
from appliance.federation.search import Page
from appliance.federation.signing import Untrusted
from appliance.federation.station import Made, Station, same_bytes
from appliance.federation.timing import has_expired

#: Open jobs are tried from among so many, so that members that look at the same time don't want the same one.
_CHOICE: Final = 100
_ATTEMPTS_PER_LOOK: Final = 3
_OVERDUE_FIRST: Final = 0.25
_REMEMBERED: Final = 512


def from_page(station: Station, page: Page) -> Talk[None]:
    """Claim a job of a page, if one fits: at most one claim that succeeds, and a few that don't."""
    if page.overdue and (not page.open or station.rng.random() < _OVERDUE_FIRST):
        yield from inspect(station, station.rng.choice(page.overdue))
    pool = list(page.open[:_CHOICE])
    for _ in range(_ATTEMPTS_PER_LOOK):
        if not pool or station.desk.held() is not None:
            break
        seen = pool.pop(station.rng.randrange(len(pool)))
        if (yield from inspect(station, seen)) and pool:  # somebody was faster, and there is more
            station.look_again(station.timing.retry_s * station.rng.random())


def inspect(station: Station, seen: Seen) -> Talk[bool]:
    """Read a job that may be taken, and take it if it may; True if somebody else was faster."""
    slots = yield from station.slots(seen.job, len(seen.rows))
    if slots is None:
        return False
    log = joblog.read(station.roster, seen.job, slots)
    report(station, log)
    if log.phase is Phase.HELD and has_expired(seen.changed_s, station.server_s(), station.timing.lease_s):
        log = yield from steal(station, log, slots)
    if log.phase is Phase.OPEN:
        return (yield from _claim(station, log))
    if log.phase in {Phase.ENDED, Phase.VOID}:
        remember(station, seen.job)
    return False


def steal(station: Station, log: JobLog, slots: list[Slot | None]) -> Talk[JobLog]:
    """Take a job from a holder whose lease has run out; the log after it, unchanged if it hasn't or another was faster."""
    reply = yield from station.read(station.keys.heartbeat(log.holder))
    if reply.status not in {Status.OK, Status.MISSING} or not reply.date_s:
        return log
    found = heartbeat.opened(station.roster, log.holder, reply)
    covers = found is not None and found.holding.get(log.job) == log.token
    seen_s = max(log.held_since_s, reply.written_s if covers else 0.0)
    if not has_expired(seen_s, reply.date_s, station.timing.lease_s):
        return log
    entry = Steal(
        fleet=station.roster.fleet, job=log.job, slot=log.next_slot, prev=log.tip, by=station.me, nonce=station.nonce(),
        token=log.token, seen_s=seen_s, now_s=reply.date_s, again=log.attempts < MAX_ATTEMPTS,
    )  # fmt: skip
    sealed = station.identity.seal(entry, odd=entries.leaves_open(entry))
    if (yield from station.create(station.keys.slot(log.job, log.next_slot), sealed)) is not Made.MADE:
        return log
    station.hint(log.job)
    return joblog.read(station.roster, log.job, [*slots, Slot(sealed, reply.date_s)])


def nudge(station: Station, log: JobLog) -> Talk[None]:
    """Make an open job visible again whose last slot is rubbish."""
    entry = Nudge(
        fleet=station.roster.fleet, job=log.job, slot=log.next_slot, prev=log.tip, by=station.me, nonce=station.nonce()
    )
    yield from station.create(station.keys.slot(log.job, log.next_slot), station.identity.seal(entry, odd=True))
    station.hint(log.job)


def ends(station: Station, seen: list[Seen]) -> Talk[list[list[Slot | None] | None]]:
    """The logs of several jobs with as few requests as can be: specifications are left out.

    In the usual case the end carries the claim before it, and the listing's ETag proves that it does.
    """
    tops = yield from station.read_all(tuple(job.rows[-1].key for job in seen))
    found: list[list[Slot | None] | None] = []
    for job, reply in zip(seen, tops, strict=True):
        if reply.status is not Status.OK:
            found.append(None)
            continue
        top = Slot(reply.body, reply.written_s)
        claim = carried(station, top, job.rows[1]) if job.top == 2 else None
        if claim is not None:
            found.append([None, claim, top])
        else:
            found.append((yield from station.slots(job.job, len(job.rows), [*[None] * job.top, top])))
    return found


def carried(station: Station, end: Slot, claim: Row) -> Slot | None:
    """The claim that an end carries, if the listing proves that these bytes stand in its slot."""
    try:
        entry = entries.decode(station.roster.open(end.sealed)[0])
    except (Untrusted, msgspec.DecodeError):
        return None
    if isinstance(entry, Done) and same_bytes(entry.claim, claim.etag):
        return Slot(entry.claim, claim.written_s)
    return None


def _claim(station: Station, log: JobLog) -> Talk[bool]:
    spec = log.spec
    if spec is None or not station.desk.fits(spec):
        remember(station, log.job)
        return False
    if not station.desk.idle():
        return False
    slot = log.next_slot
    entry = Claim(
        fleet=station.roster.fleet, job=log.job, slot=slot, prev=log.tip, by=station.me, nonce=station.nonce()
    )
    held = Held(log.job, slot, station.identity.seal(entry, odd=False))
    station.desk.hold(held)
    sent_s = station.now_s
    made = yield from station.create(station.keys.slot(log.job, slot), held.sealed)
    if made is Made.MADE:
        yield from begin(station, held, spec, sent_s)
        return False
    if made is not Made.UNSURE:  # else the desk remembers it, and `holding` finds out
        station.desk.let_go("")
    return made is Made.TAKEN


def begin(station: Station, held: Held, spec: Spec, sent_s: float) -> Talk[None]:
    """The claim stands: get what the job runs, and hand it to the robot. The claim is the first sign of life."""
    station.alive_s = max(station.alive_s, sent_s)
    station.desk.hold(Held(held.job, held.token, held.sealed, sure=True))
    station.desk.extend(station.alive_s + station.timing.hold_s)
    path = ""
    archive = spec.archive
    if not archive.inline:
        path = station.desk.place(archive.sha256)
        reply = yield from station.carry(
            Fetch(station.keys.archive(archive.sha256), path, archive.sha256, archive.size_bytes)
        )
        if reply.status is not Status.OK:
            path = ""  # the desk says so in its result, which gives the job back
    station.desk.start(held, spec, path)


def report(station: Station, log: JobLog) -> None:
    """Tell the owner of entries that were refused."""
    for problem in log.problems:
        station.desk.complain("", f"Job {log.job}, slot {problem.slot} was refused: {problem.text}.")


def remember(station: Station, job: str) -> None:
    """A job that looked as if it could be taken and can't: not to be read again soon."""
    station.ended[job] = None
    if len(station.ended) > _REMEMBERED:
        del station.ended[next(iter(station.ended))]
