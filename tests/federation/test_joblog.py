"""What a job's log is believed to say: honest histories, and everything that somebody might forge."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from appliance.federation import joblog
from appliance.federation.entries import (
    MAX_ATTEMPTS,
    Archive,
    Cancel,
    Claim,
    Done,
    Fail,
    Outcome,
    Placed,
    Spec,
    Steal,
    digest,
    leaves_open,
)  # fmt: skip
from appliance.federation.joblog import JobLog, Phase, Slot
from appliance.federation.signing import Identity, Untrusted
from appliance.federation.simulation.cast import Cast

JOB = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
OTHER = "01ARZ3NDEKTSV4RRFFQ69G5FAW"
CAST = Cast(random.Random(5))
FOREIGN = Cast(random.Random(6))
A, B, C = (CAST.member(name) for name in ("pi-a", "pi-b", "pi-c"))
WON = Outcome("succeeded")


class Writing:
    """A log as it grows; each entry is placed as its author says, or as it should be."""

    def __init__(self, submitter: Identity = A) -> None:
        self.slots: list[Slot] = []
        self.add(submitter, Spec, archive=Archive("0" * 64, 1))

    def entry(self, by: Identity, kind: type[Placed], **given: Any) -> Placed:
        prev = digest(self.slots[-1].sealed) if self.slots else ""
        place = {"fleet": CAST.fleet, "job": JOB, "slot": len(self.slots), "prev": prev, "by": by.who, "nonce": "1"}
        return kind(**{**place, **given})

    def add(self, by: Identity, kind: type[Placed], **given: Any) -> Writing:
        return self.add_bytes(by.seal(self.entry(by, kind, **given)))

    def add_bytes(self, sealed: bytes) -> Writing:
        self.slots.append(Slot(sealed, 1000.0 + len(self.slots)))
        return self

    def read(self) -> JobLog:
        return joblog.read(CAST.roster(), JOB, self.slots)


def test_a_job_goes_from_open_to_held_to_ended() -> None:
    log = Writing()
    assert log.read().phase is Phase.OPEN
    log.add(B, Claim)
    assert (log.read().phase, log.read().holder, log.read().token) == (Phase.HELD, "pi-b", 1)
    log.add(B, Done, token=1, outcome=WON)
    ended = log.read()
    assert (ended.phase, ended.ended_by, ended.problems) == (Phase.ENDED, "pi-b", [])


def test_a_job_can_be_taken_from_a_holder_and_then_only_the_new_one_ends_it() -> None:
    log = Writing().add(B, Claim).add(C, Steal, token=1, seen_s=0, now_s=9)
    assert log.read().phase is Phase.OPEN
    log.add(C, Claim).add(B, Done, token=1, outcome=WON)
    stale = log.read()
    assert (stale.phase, stale.holder) == (Phase.HELD, "pi-c")
    assert "nobody holds the job under token 1" in stale.problems[0].text
    assert log.add(C, Done, token=3, outcome=WON).read().ended_by == "pi-c"


def test_only_the_submitter_cancels() -> None:
    log = Writing().add(B, Claim).add(C, Cancel)
    assert log.read().phase is Phase.HELD
    assert log.add(A, Cancel).read().phase is Phase.ENDED


def test_nothing_follows_the_end() -> None:
    log = Writing().add(B, Claim).add(B, Done, token=1, outcome=WON).add(C, Claim).add(A, Cancel)
    ended = log.read()
    assert (ended.ended_by, [problem.slot for problem in ended.problems]) == ("pi-b", [3, 4])


def test_a_job_is_given_up_after_its_attempts_and_not_before() -> None:
    log = Writing()
    for attempt in range(1, MAX_ATTEMPTS + 1):
        log.add(B, Claim)
        token = len(log.slots) - 1
        if attempt < MAX_ATTEMPTS:
            log.add(B, Fail, token=token, again=False)  # too early: void
            assert log.read().phase is Phase.HELD
            log.add(B, Fail, token=token)
            assert log.read().phase is Phase.OPEN
    assert log.add(C, Steal, token=token, seen_s=0, now_s=1).read().phase is Phase.HELD
    assert log.add(C, Steal, token=token, seen_s=0, now_s=1, again=False).read().phase is Phase.ENDED


def test_rubbish_keeps_its_slot_and_changes_nothing() -> None:
    log = Writing().add(B, Claim).add_bytes(b"\x00rubbish").add(B, Done, token=1, outcome=WON)
    ended = log.read()
    assert (ended.phase, ended.ended_by, [problem.slot for problem in ended.problems]) == (Phase.ENDED, "pi-b", [2])


def _foreign_claim(log: Writing) -> bytes:
    return FOREIGN.member("pi-b").seal(log.entry(B, Claim))


def _unsigned_claim(log: Writing) -> bytes:
    return msgspec.json.encode(log.entry(B, Claim))


def _claim_in_anothers_name(log: Writing) -> bytes:
    return C.seal(log.entry(B, Claim))


def _claim_for_another_job(log: Writing) -> bytes:
    return B.seal(log.entry(B, Claim, job=OTHER))


def _claim_for_another_fleet(log: Writing) -> bytes:
    return B.seal(log.entry(B, Claim, fleet="other"))


def _claim_for_another_slot(log: Writing) -> bytes:
    return B.seal(log.entry(B, Claim, slot=3))


def _claim_of_another_history(log: Writing) -> bytes:
    return B.seal(log.entry(B, Claim, prev="0" * 64))


def _claim_with_one_byte_changed(log: Writing) -> bytes:
    return B.seal(log.entry(B, Claim)).replace(b"claim", b"clain", 1)


def _claim_with_anothers_certificate(log: Writing) -> bytes:
    mine, theirs = (msgspec.json.decode(who.seal(log.entry(B, Claim))) for who in (C, B))
    return msgspec.json.encode({**mine, "certificate": theirs["certificate"]})


def _done_without_a_claim(log: Writing) -> bytes:
    return B.seal(log.entry(B, Done, token=0, outcome=WON))


def _second_specification(log: Writing) -> bytes:
    return A.seal(log.entry(A, Spec, archive=Archive("1" * 64, 1)))


FORGERIES = [
    _foreign_claim, _unsigned_claim, _claim_in_anothers_name, _claim_for_another_job, _claim_for_another_fleet,
    _claim_for_another_slot, _claim_of_another_history, _claim_with_one_byte_changed, _claim_with_anothers_certificate,
    _done_without_a_claim, _second_specification,
]  # fmt: skip


@pytest.mark.parametrize("forge", FORGERIES, ids=lambda forge: forge.__name__[1:])
def test_a_forged_entry_is_refused_and_reported(forge: Any) -> None:
    log = Writing()
    log.add_bytes(forge(log))
    read = log.read()
    assert (read.phase, read.holder, [problem.slot for problem in read.problems]) == (Phase.OPEN, "", [1])
    assert log.add(B, Claim).read().holder == "pi-b"


@pytest.mark.parametrize("forged", [C, FOREIGN.member("pi-b")], ids=["of a member", "of a stranger"])
def test_a_forged_end_is_refused(forged: Identity) -> None:
    log = Writing().add(B, Claim)
    log.add_bytes(forged.seal(log.entry(forged, Done, token=1, outcome=WON)))
    assert log.read().phase is Phase.HELD
    assert len(log.read().problems) == 1


def test_results_of_another_job_can_not_be_replayed() -> None:
    log = Writing().add(B, Claim)
    end = B.seal(log.entry(B, Done, token=1, outcome=WON))
    replayed = Writing(submitter=C).add(B, Claim).add_bytes(end)
    assert replayed.read().phase is Phase.HELD
    assert "another history" in replayed.read().problems[0].text


def test_an_overwritten_slot_is_noticed_by_what_follows() -> None:
    log = Writing().add(B, Claim).add(B, Done, token=1, outcome=WON)
    forged = Writing().add(C, Claim).slots[1]
    log.slots[1] = forged
    read = log.read()
    assert read.phase is Phase.HELD
    assert "another history" in read.problems[0].text


def test_a_job_of_a_stranger_is_no_job() -> None:
    log = Writing(submitter=FOREIGN.member("pi-a"))
    assert log.read().phase is Phase.VOID
    assert log.add(B, Claim).read().phase is Phase.VOID


def test_an_expelled_member_may_write_nothing_more_and_what_it_wrote_before_stands() -> None:
    log = Writing().add(B, Claim)
    slots = [*log.slots, *Writing().add(B, Claim).add(B, Done, token=1, outcome=WON).slots[2:]]
    before = joblog.read(CAST.roster({"pi-b": 1001.5}), JOB, slots)
    assert (before.phase, before.holder) == (Phase.HELD, "pi-b")
    assert "no member any more" in before.problems[0].text


def test_an_expired_membership_is_none() -> None:
    expired = CAST.member("pi-d", expires_s=500.0)
    with pytest.raises(Untrusted, match="expired"):
        CAST.roster().open(expired.seal(Writing().entry(expired, Claim)), 501.0)


@pytest.mark.parametrize("again", [True, False])
def test_a_listing_can_tell_from_its_size_whether_an_entry_leaves_its_job_open(again: bool) -> None:
    for nonce in ("1", "22"):
        entry = Fail(fleet="f", job=JOB, slot=2, prev="", by="pi-b", nonce=nonce, token=1, again=again)
        assert len(B.seal(entry, odd=leaves_open(entry))) % 2 == again
