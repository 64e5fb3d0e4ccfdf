"""What does a member do with the job it holds? Keeps its lease, commits its end, finds out after a crash what is true."""

from __future__ import annotations

from typing import Any

from appliance.federation import entries, joblog
from appliance.federation.claiming import begin, report
from appliance.federation.desk import Finished, Held
from appliance.federation.entries import MAX_ATTEMPTS, Done, Fail
from appliance.federation.joblog import JobLog, Phase
from appliance.federation.requests import Send, Status, Talk
from appliance.federation.station import Made, Station
from appliance.federation.timing import may_act


def keep(station: Station, held: Held) -> Talk[bool]:
    """One step for the held job; False if there is nothing to do for it now."""
    if not held.sure:
        yield from find_out(station, held)
        return True
    finished = station.desk.finished()
    if finished is not None:
        yield from _commit(station, held, finished)
        return True
    if not may_act(station.alive_s, station.now_s, 0.0, station.timing):
        station.desk.stop()
    return False


def find_out(station: Station, held: Held) -> Talk[None]:
    """Whether a claim stands whose answer was lost, or of which only memory is left after a crash."""
    sent_s = station.now_s
    slots = yield from station.whole_log(held.job)
    if slots is None:
        yield from station.pause(station.patience_s())
        return
    log = joblog.read(station.roster, held.job, slots)
    if not _is_mine(station, log, held):
        # A write that is still under way may make it ours later; its lease then runs out, as no heartbeat names it.
        station.desk.let_go("The claim didn't come through.")
    elif log.spec is not None:
        # Counted from the claim itself, or a claim of long ago would be acted on.
        age_s = max(0.0, station.server_s() - log.held_since_s) + 1.0
        yield from begin(station, held, log.spec, sent_s - age_s)


def _is_mine(station: Station, log: JobLog, held: Held) -> bool:
    return log.phase is Phase.HELD and log.holder == station.me and log.token == held.token


def _commit(station: Station, held: Held, finished: Finished) -> Talk[None]:
    """Upload, then take the next slot. Whoever took the job over meanwhile has that slot, and this end has no effect."""
    for file, path in finished.files:
        key = station.keys.result(station.me, held.job, file.sha256)
        reply = yield from station.carry(Send(key, path, file.sha256, file.size_bytes))
        if reply.status is not Status.OK:
            yield from station.pause(station.patience_s())
            return
    slot, prev, attempts = held.token + 1, entries.digest(held.sealed), 0 if finished.outcome else None
    while True:
        if attempts is None:
            log = yield from _still_mine(station, held)
            if log is None:
                return
            slot, prev, attempts = log.next_slot, log.tip, log.attempts
        sealed = _end(station, held, finished, slot, prev, attempts)
        made = yield from station.create(station.keys.slot(held.job, slot), sealed)
        if made is Made.MADE:
            station.desk.let_go("")
            station.look_again(0.0)
            return
        if made is not Made.TAKEN:
            yield from station.pause(station.patience_s())
            return
        attempts = None


def _still_mine(station: Station, held: Held) -> Talk[JobLog | None]:
    """The log, if the job is still this member's; else lets go of it."""
    slots = yield from station.whole_log(held.job)
    if slots is None:
        yield from station.pause(station.patience_s())
        return None
    log = joblog.read(station.roster, held.job, slots)
    report(station, log)
    if _is_mine(station, log, held):
        return log
    mine = log.phase is Phase.ENDED and log.ended_by == station.me and log.token == held.token
    station.look_again(0.0)
    station.desk.let_go("" if mine else "The lease ran out, and another appliance took the job over.")
    return None


def _end(station: Station, held: Held, finished: Finished, slot: int, prev: str, attempts: int) -> bytes:
    place: dict[str, Any] = {
        "fleet": station.roster.fleet, "job": held.job, "slot": slot, "prev": prev, "by": station.me,
        "nonce": station.nonce(), "token": held.token,
    }  # fmt: skip
    if finished.outcome is None:
        fail = Fail(**place, detail=finished.detail, again=attempts < MAX_ATTEMPTS)
        return station.identity.seal(fail, odd=entries.leaves_open(fail))
    files = tuple(file for file, _ in finished.files)
    carried = held.sealed if slot == held.token + 1 else b""
    return station.identity.seal(Done(**place, outcome=finished.outcome, files=files, claim=carried), odd=False)
