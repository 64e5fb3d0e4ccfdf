"""How does the whole fleet look now? One look: who is there, who wants in, what waits, what came of the last jobs.

It costs two pages of names and a request per member and per shown job, so it is taken only when somebody looks, and by the
compactor for the page in the bucket.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from appliance import ulid
from appliance.federation import charter as charters
from appliance.federation import claiming, heartbeat, joblog, listing
from appliance.federation.entries import Done
from appliance.federation.joblog import JobLog, Phase
from appliance.federation.listing import Seen
from appliance.federation.requests import List, Reply, Status, Talk
from appliance.federation.signing import Untrusted
from appliance.federation.station import Station
from appliance.fleet_shapes import Applicant, JobLine, MemberView, Picture

_MOST_MEMBERS: Final = 300
_RECENT: Final = 12
_WINDOW_S: Final = 86400.0


def take(station: Station) -> Talk[Picture | None]:
    """One look; None if the store doesn't answer."""
    keys = station.keys
    folders = yield from station.ask(List(keys.members, "", _MOST_MEMBERS, folders=True))
    prefix = keys.queue
    names = yield from station.ask(List(prefix, prefix + ulid.new(station.server_s() - _WINDOW_S, 0)))
    if Status.LOST in {folders.status, names.status}:
        return None
    who = [row.key.removeprefix(keys.members).rstrip("/") for row in folders.rows]
    beats = yield from station.read_all(tuple(keys.heartbeat(name) for name in who))
    members = [_member(station, name, beat) for name, beat in zip(who, beats, strict=True)]
    strangers = [member.who for member in members if member.silent_s is None]
    applicants = yield from _applicants(station, strangers)
    seen = listing.jobs(prefix, names.rows, truncated=names.truncated)
    lines = yield from _lines(station, sorted(seen, key=lambda job: -job.changed_s)[:_RECENT])
    phases = [job.phase for job in seen]
    holders = {line.where: line.job for line in lines if line.phase == Phase.HELD}
    ended = {job.job for job in seen if job.phase is Phase.ENDED}
    members = [_caught_up(member, holders, ended) for member in members]
    return Picture(
        made_s=station.server_s(),
        members=tuple(member for member in members if member.silent_s is not None),
        applicants=applicants,
        waiting=phases.count(Phase.OPEN),
        held=phases.count(Phase.HELD),
        ended=phases.count(Phase.ENDED),
        jobs=tuple(lines),
        some_missing=names.truncated,
    )


def _member(station: Station, who: str, beat: Reply) -> MemberView:
    found = heartbeat.opened(station.roster, who, beat)
    if found is None:
        return MemberView(who)
    silent_s = max(0.0, beat.date_s - beat.written_s)
    about, is_out = found.about, who in station.roster.revoked
    return MemberView(
        who, _text(about, "name"), _text(about, "kind"), _text(about, "link"), _texts(about, "tags"), _text(about, "robot"),
        _text(about, "busy"), _text(about, "software"), next(iter(found.holding), "")[:26], silent_s,
        silent_s < station.timing.lease_s and not is_out, is_out,
    )  # fmt: skip


def _caught_up(member: MemberView, holders: dict[str, str], ended: set[str]) -> MemberView:
    """A heartbeat may be minutes old: what the logs say of the member's job is newer."""
    holding = "" if member.holding in ended else member.holding
    return msgspec.structs.replace(member, holding=holders.get(member.who, holding))


def _applicants(station: Station, who: list[str]) -> Talk[tuple[Applicant, ...]]:
    replies = yield from station.read_all(tuple(station.keys.request(name) for name in who))
    certificates = yield from station.read_all(tuple(station.keys.member(name) for name in who))
    found = []
    for name, reply, certificate in zip(who, replies, certificates, strict=True):
        if reply.status is Status.OK and certificate.status is Status.MISSING:
            try:
                request = charters.open_request(reply.body, station.roster.fleet, name)
            except Untrusted:
                continue
            found.append(Applicant(name, request.name, charters.fingerprint(request.public)))
    return tuple(found)


def _lines(station: Station, seen: list[Seen]) -> Talk[list[JobLine]]:
    lines = []
    for job in seen:
        slots = yield from station.slots(job.job, len(job.rows))
        if slots is not None:
            log = joblog.read(station.roster, job.job, slots)
            claiming.report(station, log)
            lines.append(_line(log, job.changed_s))
    return lines


def _line(log: JobLog, at_s: float) -> JobLine:
    spec, ending = log.spec, log.ending
    name, by = (spec.name, spec.by) if spec is not None else ("", "")
    if isinstance(ending, Done):
        outcome = ending.outcome
        return JobLine(log.job, log.phase, at_s, outcome.state, name, by, log.ended_by, outcome.detail, outcome.steps,
                       outcome.preview_deg)  # fmt: skip
    state = "" if ending is None else "failed"
    return JobLine(log.job, log.phase, at_s, state, name, by, log.holder or log.ended_by)


def _text(about: dict[str, Any], key: str) -> str:
    found = about.get(key, "")
    return "".join(character for character in found if character.isprintable())[:120] if isinstance(found, str) else ""


def _texts(about: dict[str, Any], key: str) -> tuple[str, ...]:
    found = about.get(key, [])
    return tuple(_text({"": item}, "") for item in found[:20]) if isinstance(found, list) else ()
