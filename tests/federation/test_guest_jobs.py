"""A job from the fleet on this appliance: never without a lease, never a second attempt of its own, its owner's rules kept."""

from __future__ import annotations

import hashlib
import shutil
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from appliance import facts, fleet_lease
from appliance.federation.desk import Held, Progress
from appliance.federation.entries import Archive, Done, Fail, File, Needs, Outcome, Spec
from appliance.federation.joblog import JobLog, Phase
from appliance.federation.ledger import Ledger
from appliance.federation.local_desk import Clocks, LocalDesk
from appliance.federation.rules import Rules, hours
from appliance.federation.wish import Wish
from appliance.jobs import Reason, State
from appliance.realtime.control import Arm
from appliance.running import results
from appliance.store import AWAY, GUEST, Job, NewJob
from tests.patience import eventually
from tests.runner_house import HELLO, SLEEP, House

BODY = b"an archive"
SPEC = Spec(
    fleet="lab", job="01M820BHM71Q2YTVWBTR79P0SD", slot=0, prev="", by="pi-z", nonce="", name="far",
    archive=Archive(hashlib.sha256(BODY).hexdigest(), len(BODY), BODY), submitter="ann", limit_s=30.0,
)  # fmt: skip
HELD = Held(SPEC.job, 1, b"claim", sure=True)
LONG_S = 1000.0


class Guesthouse(House):
    """A house whose guests' programs are given by the test."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.ledger = Ledger(self.paths.database)
        self.desk = LocalDesk(self.ledger, self.store, self.paths, Rules(), 450.0, Clocks())
        self.program = HELLO
        plain = self.plain_prepare
        self.prepare = lambda job, cancelled: plain(replace(job, source=self.program), cancelled)

    def welcome(self, program: str, lease_s: float | None = LONG_S) -> str:
        """Claim and start a job of the fleet; returns its local id."""
        self.program = program
        self.desk.hold(HELD)
        if lease_s is not None:
            self.desk.extend(fleet_lease.now_s() + lease_s)
        self.desk.start(HELD, SPEC, "")
        (job,) = [job for job in self.store.recent() if job.place == GUEST]
        return job.id


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Guesthouse]:
    house = Guesthouse(tmp_path)
    house.start()
    yield house
    house.close()
    house.ledger.close()


def test_a_guest_runs_and_its_end_is_told_with_its_bundle(house: Guesthouse) -> None:
    job = house.until_final(house.welcome(HELLO))
    assert (job.state, job.submitter, job.name) == (State.SUCCEEDED, "ann@pi-z", "far")
    finished = house.desk.finished()
    assert finished is not None
    assert finished.outcome is not None
    ((file, path),) = finished.files
    assert file.sha256 == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert len(finished.outcome.preview_deg) == job.steps


@pytest.mark.parametrize("lease_s", [None, 0.0, 20.0])
def test_the_robot_is_not_armed_without_a_lease_over_the_whole_time_limit(
    house: Guesthouse, lease_s: float | None
) -> None:
    job_id = house.welcome(HELLO, lease_s)
    house.until(lambda: "lease" in house.store.get(job_id).detail)
    assert Arm not in house.guard.requests()
    house.desk.extend(fleet_lease.now_s() + LONG_S)
    assert house.until_final(job_id).state is State.SUCCEEDED


def test_a_lease_of_an_earlier_boot_is_none(house: Guesthouse) -> None:
    job_id = house.welcome(HELLO, None)
    house.ledger.extend("another boot", fleet_lease.now_s() + LONG_S)
    house.until(lambda: "lease" in house.store.get(job_id).detail)
    assert Arm not in house.guard.requests()


def test_a_running_guest_is_stopped_when_its_lease_is_lost_and_goes_back_to_the_fleet(house: Guesthouse) -> None:
    job_id = house.welcome(SLEEP)
    house.until_state(job_id, State.RUNNING)
    house.desk.stop()
    job = house.until_final(job_id)
    assert (job.state, job.reason, job.attempt) == (State.FAILED, Reason.NO_LEASE, 1)
    finished = house.desk.finished()
    assert finished is not None
    assert finished.outcome is None, "the fleet decides whether it runs again"


def test_a_guest_that_somebody_else_took_over_ends_at_once(house: Guesthouse) -> None:
    job_id = house.welcome(SLEEP)
    house.until_state(job_id, State.RUNNING)
    house.desk.let_go("The lease ran out, and another appliance took the job over.")
    assert house.until_final(job_id).state in {State.FAILED, State.CANCELLED}
    assert house.desk.held() is None


def test_an_interrupted_guest_gets_no_second_attempt_here(house: Guesthouse) -> None:
    job_id = house.welcome(SLEEP)
    house.until_state(job_id, State.RUNNING)
    house.stop()
    job = house.store.get(job_id)
    assert (job.state, job.reason, job.attempt) == (State.FAILED, Reason.INTERRUPTED, 1)
    finished = house.desk.finished()
    assert finished is not None
    assert finished.outcome is None


def test_starting_again_after_a_crash_of_federation_makes_no_second_row(house: Guesthouse) -> None:
    job_id = house.welcome(SLEEP)
    house.desk.hold(HELD)
    house.desk.start(HELD, SPEC, "")
    assert [job.id for job in house.store.recent() if job.place == GUEST] == [job_id]


def test_an_archive_that_is_not_what_it_says_is_given_back(house: Guesthouse) -> None:
    house.desk.hold(HELD)
    forged = msgspec.structs.replace(SPEC, archive=Archive("0" * 64, len(BODY), BODY))
    house.desk.start(HELD, forged, "")
    finished = house.desk.finished()
    assert finished is not None
    assert "isn't the one" in finished.detail
    assert not house.store.recent()


def test_nothing_is_taken_while_the_appliance_has_work_of_its_own_or_is_paused(house: Guesthouse) -> None:
    eventually(house.desk.idle, what="idle", then=house.desk.busy)
    own = house.submit(SLEEP)
    assert not house.desk.idle()
    # At first it may be because a cell's limits are tried.
    eventually(lambda: house.desk.busy() == "Its own jobs come first.", what="its own", then=house.desk.busy)
    house.store.request_cancel(own, time.time())
    house.until_final(own)
    eventually(house.desk.idle, what="idle again", then=house.desk.busy)
    house.store.set_fact(facts.QUEUE_PAUSED, facts.PAUSED_BY_OWNER, time.time())
    assert not house.desk.idle()


# --- the owner's rules --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "word"),
    [
        (Rules(takes_from=("pi-a",)), "pi-z"),
        (Rules(robot="cart"), "pendulum"),
        (Rules(limit_s=29.0), "30 s"),
        (Rules(archive_bytes=5), "archive"),
        (Rules(image="small"), "standard"),
    ],
)
def test_a_job_that_does_not_fit_is_not_taken(rules: Rules, word: str) -> None:
    assert word in rules.objection(SPEC)
    assert Rules().objection(SPEC) == ""


def test_tags_and_counts_must_be_met() -> None:
    wanting = msgspec.structs.replace(SPEC, needs=Needs(tags=("camera",), counts_per_turn=2400))
    assert "camera" in Rules(counts_per_turn=2400).objection(wanting)
    assert "2400" in Rules(tags=("camera",), counts_per_turn=1200).objection(wanting)
    assert Rules(tags=("camera", "twin"), counts_per_turn=2400).objection(wanting) == ""


@pytest.mark.parametrize(("minute", "open_"), [(22 * 60, True), (0, True), (6 * 60, False), (12 * 60, False)])
def test_hours_may_go_over_midnight(minute: int, open_: bool) -> None:
    assert (Rules(hours=hours("22:00-06:00")).not_now(minute, 0.0) == "") is open_


def test_the_fleet_gets_its_share_of_a_day_and_no_more() -> None:
    assert Rules(share=0.5).not_now(0, 12 * 3600 - 1) == ""
    assert Rules(share=0.5).not_now(0, 12 * 3600)
    assert Rules(share=0.0).not_now(0, 0.0)


# --- what comes home ------------------------------------------------------------------------------------------------


@pytest.fixture
def away(house: Guesthouse) -> tuple[Guesthouse, Job]:
    """A job that is in the fleet under the name of SPEC."""
    new = NewJob("archive", "a.zip", "ann", place=AWAY, wish=msgspec.json.encode(Wish(live_s=5.0)))
    job = house.store.add(new, time.time())
    house.paths.upload(job.id).parent.mkdir(parents=True, exist_ok=True)
    house.paths.upload(job.id).write_bytes(BODY)
    submission = house.desk.unsent()
    assert submission is not None
    assert submission.spec.archive == SPEC.archive
    house.desk.name(submission.number, SPEC.job, b"sealed")
    house.desk.sent(submission.number)
    return house, job


def ended(outcome: Outcome) -> JobLog:
    ending = Done(fleet="lab", job=SPEC.job, slot=2, prev="", by="pi-z", nonce="", token=1, outcome=outcome)
    return JobLog(SPEC.job, Phase.ENDED, SPEC, "pi-z", 1, 1, ending=ending, ended_by="pi-z")


def test_a_job_that_is_away_is_none_of_the_runners_business(away: tuple[Guesthouse, Job]) -> None:
    house, job = away
    assert house.store.queue() == house.store.active() == []
    assert [one.id for one in house.store.away()] == [job.id]
    house.submit()
    assert house.store.get(job.id).state is State.QUEUED


def test_output_grows_as_it_is_told_and_gaps_are_marked(away: tuple[Guesthouse, Job]) -> None:
    house, job = away
    for progress in (
        Progress("running", 1.0, 3, b"abc"),
        Progress("running", 2.0, 5, b"abcde"),
        Progress("running", 3.0, 9, b"i"),
    ):
        house.desk.show(SPEC.job, "pi-z", progress)
    shown = (house.paths.away(job.id) / "output.log").read_bytes()
    assert shown == b"abcde\n[... 3 bytes: in the results ...]\ni"
    assert house.store.get(job.id).state is State.RUNNING


@pytest.mark.parametrize("state", ["succeeded", "queued", "\x1b[2Jowned", ""])
def test_strange_words_from_elsewhere_break_nothing(away: tuple[Guesthouse, Job], state: str) -> None:
    house, job = away
    house.desk.show(SPEC.job, "pi-z", Progress(state, None, 0, b""))
    house.desk.deliver(ended(Outcome(state, "never heard", "\x1b]0;x\x07evil")), {})
    found = house.store.get(job.id)
    assert (found.state, found.reason) == (State.FAILED, Reason.INTERNAL_ERROR)
    assert "\x1b" not in found.detail
    assert house.desk.waiting() == []


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"no zip at all"])
def test_a_broken_bundle_is_refused_and_its_holder_named(away: tuple[Guesthouse, Job], content: bytes) -> None:
    house, job = away
    path = Path(house.desk.place("0" * 64))
    path.write_bytes(content)
    house.desk.deliver(ended(Outcome("succeeded")), {"bundle.zip": str(path)})
    assert house.store.get(job.id).state is State.SUCCEEDED
    assert not house.paths.away(job.id).exists()
    assert house.ledger.complaints()[0].who == "pi-z"


def test_what_is_too_large_to_be_shown_comes_home_in_its_bundle(away: tuple[Guesthouse, Job]) -> None:
    house, job = away
    there = house.until_final(house.submit())
    honest = house.paths.attempt(there.id, 1) / results.BUNDLE
    path = Path(house.desk.place("0" * 64))
    shutil.copyfile(honest, path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("steps.csv", bytes(17 << 20))
    body = path.read_bytes()
    house.desk.deliver(ended(Outcome("succeeded")), {results.BUNDLE: str(path)})
    assert (house.paths.away(job.id) / results.BUNDLE).read_bytes() == body
    assert (house.paths.away(job.id) / results.REPORT).is_file()
    assert house.ledger.complaints() == []


def test_the_same_end_may_come_twice(away: tuple[Guesthouse, Job]) -> None:
    house, job = away
    house.desk.deliver(ended(Outcome("succeeded", steps=7)), {})
    house.desk.deliver(ended(Outcome("failed", "exit_code")), {})
    assert (house.store.get(job.id).state, house.store.get(job.id).steps) == (State.SUCCEEDED, 7)


def test_a_job_that_the_fleet_gave_up_says_so(away: tuple[Guesthouse, Job]) -> None:
    house, job = away
    fail = Fail(
        fleet="lab", job=SPEC.job, slot=12, prev="", by="pi-z", nonce="", token=11, detail="no power", again=False
    )
    house.desk.deliver(JobLog(SPEC.job, Phase.ENDED, SPEC, attempts=6, ending=fail, ended_by="pi-z"), {})
    found = house.store.get(job.id)
    assert (found.state, found.reason) == (State.FAILED, Reason.INTERRUPTED)
    assert "6 attempts" in found.detail


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "", "a b", "0" * 64])
def test_no_name_from_elsewhere_leads_out_of_the_folder(house: Guesthouse, name: str) -> None:
    assert Path(house.desk.place(name)).resolve().parent == (house.paths.federation / "incoming").resolve()


@pytest.mark.parametrize(
    "strange", [{"sha256": "../x"}, {"sha256": "0" * 64 + "\n"}, {"size_bytes": -1}, {"size_bytes": 1 << 40}]
)
def test_an_entry_with_a_strange_file_is_no_entry(strange: dict[str, object]) -> None:
    good = {"name": "bundle.zip", "sha256": "0" * 64, "size_bytes": 1}
    assert msgspec.convert(good, File)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(good | strange, File)
