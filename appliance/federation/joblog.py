"""What does a job's log say? Reads slots in order, believes only what their authors were entitled to write. Pure.

A slot that breaks a rule is *void*: it keeps its place, has no effect, and is reported. The next honest entry chains
over it. So a member that writes rubbish delays others, and changes nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from appliance.federation import entries
from appliance.federation.entries import MAX_ATTEMPTS, Cancel, Claim, Done, Entry, Fail, Nudge, Spec, Steal
from appliance.federation.signing import Roster, Untrusted


class Phase(enum.StrEnum):
    """Where a job is."""

    OPEN = "open"
    HELD = "held"
    ENDED = "ended"
    VOID = "void"  # its specification is nobody's: there is no job


@dataclass(frozen=True)
class Slot:
    """One slot as the store has it. written_s: when it was, on the server's clock."""

    sealed: bytes
    written_s: float


@dataclass(frozen=True)
class Problem:
    """An entry that was refused, and why."""

    slot: int
    text: str


@dataclass
class JobLog:
    """A job as its log tells it. token: the holder's (or last holder's) slot; tip: hash of the last slot."""

    job: str
    phase: Phase = Phase.OPEN
    spec: Spec | None = None
    holder: str = ""
    token: int = 0
    attempts: int = 0
    held_since_s: float = 0.0
    ending: Done | Fail | Steal | Cancel | None = None
    ended_by: str = ""
    tip: str = ""
    next_slot: int = 0
    problems: list[Problem] = field(default_factory=list)


class _Refused(Exception):
    """This entry has no effect; the text says why."""


def read(roster: Roster, job: str, slots: Sequence[Slot | None]) -> JobLog:
    """The state after all `slots`, the first of which is slot 0, or None for a reader that doesn't need what it says.

    None for slot 0 leaves `spec` empty, and cancellations then can't be judged: they are taken as void.
    """
    log = JobLog(job)
    for number, slot in enumerate(slots):
        if slot is None:
            log.next_slot = number + 1
            continue
        try:
            entry, by = _opened(roster, slot)
            _place(log, entry, by, number, roster.fleet)
            _apply(log, entry, slot.written_s)
        except (_Refused, Untrusted) as refusal:
            log.problems.append(Problem(number, str(refusal)))
            if number == 0:
                log.phase = Phase.VOID
        log.tip, log.next_slot = entries.digest(slot.sealed), number + 1
    return log


def _opened(roster: Roster, slot: Slot) -> tuple[Entry, str]:
    content, author = roster.open(slot.sealed, slot.written_s)
    try:
        return entries.decode(content), author.who
    except msgspec.DecodeError as error:
        raise _Refused(f"it is no entry ({error})") from error


def _place(log: JobLog, entry: Entry, by: str, number: int, fleet: str) -> None:
    """Whether the entry was made for this very place, by the one who signed it."""
    if entry.by != by:
        raise _Refused(f"it is signed by {by} and says that it is by {entry.by}")
    if (entry.fleet, entry.job) != (fleet, log.job):
        raise _Refused("it was written for another job")
    if entry.slot != number:
        raise _Refused(f"it was written for slot {entry.slot}")
    if isinstance(entry, Spec) is not (number == 0):
        raise _Refused("only slot 0 holds the specification")
    if number > 0 and log.tip not in ("", entry.prev):
        raise _Refused("it was written for another history of this job")


def _apply(log: JobLog, entry: Entry, written_s: float) -> None:
    if log.phase in {Phase.ENDED, Phase.VOID}:
        raise _Refused("nothing can follow the end of a job")
    match entry:
        case Spec():
            log.spec = entry
        case Claim():
            if log.phase is not Phase.OPEN:
                raise _Refused(f"{entry.by} claimed a job that {log.holder} holds")
            log.phase, log.holder, log.token = Phase.HELD, entry.by, entry.slot
            log.held_since_s, log.attempts = written_s, log.attempts + 1
        case Cancel():
            if log.spec is None or entry.by != log.spec.by:
                raise _Refused("only the submitter cancels a job")
            _end(log, entry)
        case Steal() | Done() | Fail():
            _release(log, entry)
        case Nudge():
            if log.phase is not Phase.OPEN:
                raise _Refused("the job isn't open")


def _release(log: JobLog, entry: Steal | Done | Fail) -> None:
    """The job is taken from its holder, or given back by it."""
    if log.phase is not Phase.HELD or entry.token != log.token:
        raise _Refused(f"nobody holds the job under token {entry.token}")
    if not isinstance(entry, Steal) and entry.by != log.holder:
        raise _Refused(f"{entry.by} ended a job that {log.holder} holds")
    if not isinstance(entry, Done) and entry.again is not (log.attempts < MAX_ATTEMPTS):
        raise _Refused("it miscounts the attempts")
    if entries.leaves_open(entry):
        log.phase, log.holder = Phase.OPEN, ""
    else:
        _end(log, entry)


def _end(log: JobLog, entry: Done | Fail | Steal | Cancel) -> None:
    log.phase, log.ending, log.ended_by = Phase.ENDED, entry, entry.by
