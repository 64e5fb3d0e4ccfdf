"""The planning code in the hands of an adversary: any order of answers, losses, crashes and late writes."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from appliance.federation.entries import Claim, Done, Outcome, Steal, decode, digest
from appliance.federation.heartbeat import Heartbeat
from appliance.federation.joblog import Phase
from appliance.federation.requests import Fetch, Get, Put, Reply, Send, Status
from appliance.federation.simulation.cast import FLEET, Cast
from appliance.federation.simulation.settings import NO_FAULTS, Settings
from appliance.federation.timing import Timing, has_expired, may_act
from tests.federation.lab import Lab

SETTINGS = Settings(run_s=(60.0, 120.0), faults=NO_FAULTS)
LEASE_S = SETTINGS.timing.lease_s
MEMBER = st.integers(0, 2)
STRANGER = Cast(random.Random(9), quick=True).member("pi1")


class Fleet(RuleBasedStateMachine):
    """Three members and an adversary."""

    def __init__(self) -> None:
        super().__init__()
        self.lab = Lab(SETTINGS)
        self.jobs = 0
        self.endings: dict[str, object] = {}

    @rule(member=MEMBER, steps=st.integers(1, 12))
    def work(self, member: int, steps: int) -> None:
        for _ in range(steps):
            self.lab.step(member)

    @rule(seconds=st.sampled_from([1.0, 30.0, 90.0, 320.0, LEASE_S, 3 * LEASE_S]))
    def time_passes(self, seconds: float) -> None:
        self.lab.now_s += seconds

    @rule(seconds=st.sampled_from([60.0, 400.0, LEASE_S]))
    def all_is_well_for_a_while(self, seconds: float) -> None:
        self.lab.run(seconds)

    @rule(order=st.permutations([0, 1, 2]))
    def some_write_at_the_same_moment(self, order: list[int]) -> None:
        """Time passes until two are about to write the same slot; then they do, one right after the other."""
        for _ in range(40):
            self.lab.now_s += 5.0
            for member in order:
                self.lab.until_write(member)
            wanted = [request.key for request in self.lab.pending.values() if isinstance(request, Put)]
            if len(set(wanted)) < len(wanted):
                break
        for member in order:
            self.lab.step(member)

    @precondition(lambda self: self.jobs < 4)
    @rule(member=MEMBER)
    def submit(self, member: int) -> None:
        self.lab.members[member].desk.submit(1)
        self.jobs += 1

    @rule(member=MEMBER, applied=st.booleans())
    def an_answer_is_lost(self, member: int, applied: bool) -> None:
        self.lab.lose(member, applied=applied)

    @rule(member=MEMBER)
    def a_write_hangs(self, member: int) -> None:
        self.lab.delay(member)

    @precondition(lambda self: self.lab.late)
    @rule(index=st.integers(0, 9))
    def a_late_write_arrives(self, index: int) -> None:
        self.lab.arrive(index)

    @rule(member=MEMBER)
    def crash(self, member: int) -> None:
        self.lab.crash(member)

    @rule(member=MEMBER)
    def reboot(self, member: int) -> None:
        if self.lab.members[member].talk is None:
            self.lab.boot(member)

    @precondition(lambda self: self.lab.logs())
    @rule(index=st.integers(0, 9), size=st.integers(1, 2))
    def rubbish_is_written(self, index: int, size: int) -> None:
        jobs = sorted(self.lab.logs())
        job = jobs[index % len(jobs)]
        slots = self.lab.logs()[job]
        if len(slots) < 12:
            self.lab.put(job, len(slots), b"x" * size)

    @precondition(lambda self: self.lab.logs())
    @rule(index=st.integers(0, 9), kind=st.sampled_from(["claim", "end", "replay"]), source=st.integers(0, 99))
    def a_forgery_is_written(self, index: int, kind: str, source: int) -> None:
        """A claim of a stranger under a member's name, an end by who doesn't hold the job, an honest entry from elsewhere."""
        jobs = sorted(self.lab.logs())
        job = jobs[index % len(jobs)]
        slots, log = self.lab.logs()[job], self.lab.read(job)
        if len(slots) >= 12 or log.holder == "pi2":
            return
        place = {"fleet": FLEET, "job": job, "slot": len(slots), "prev": digest(slots[-1].sealed), "nonce": "1"}
        if kind == "claim":
            sealed = STRANGER.seal(Claim(by="pi1", **place), odd=False)  # type: ignore[arg-type]
        elif kind == "end":
            ending = Done(by="pi2", token=log.token, outcome=Outcome("succeeded"), **place)  # type: ignore[arg-type]
            sealed = self.lab.identities[2].seal(ending, odd=False)
        else:
            honest = [slot.sealed for other in jobs for slot in self.lab.logs()[other]]
            sealed = honest[source % len(honest)]
        self.lab.put(job, len(slots), sealed)

    @rule(member=MEMBER)
    def a_file_takes_long(self, member: int) -> None:
        if isinstance(self.lab.pending.get(member), Send | Fetch):
            self.lab.step(member, Reply(Status.UNDER_WAY, 0.0))

    @invariant()
    def an_end_is_the_end(self) -> None:
        for job in self.lab.logs():
            log = self.lab.read(job)
            if log.phase is Phase.ENDED:
                assert self.endings.setdefault(job, log.ending) == log.ending

    @invariant()
    def no_job_is_committed_twice(self) -> None:
        believed = Counter(job for member in self.lab.members for job in member.desk.committed)
        assert all(count == 1 for count in believed.values()), believed
        for job in self.lab.logs():
            log = self.lab.read(job)
            if believed[job]:
                assert log.phase is Phase.ENDED
                assert isinstance(log.ending, Done)
            refused = {problem.slot for problem in log.problems}
            valid = [slot for number, slot in enumerate(self.lab.logs()[job]) if number not in refused]
            assert sum(isinstance(decode(self.lab.roster.open(slot.sealed)[0]), Done) for slot in valid) <= 1

    def teardown(self) -> None:
        """The network heals, the dead rise: now every job ends, and its submitter hears of it."""
        for number, member in enumerate(self.lab.members):
            if member.talk is None:
                self.lab.boot(number)
        self.lab.run(8 * LEASE_S)
        while self.lab.late:
            self.lab.arrive(0)
        self.lab.run(12 * LEASE_S)
        for job in self.lab.logs():
            assert self.lab.read(job).phase is Phase.ENDED, (job, self.lab.read(job))
        for member in self.lab.members:
            assert member.desk.is_settled, (member.who, member.desk.out, member.desk.unsent_jobs)
        self.no_job_is_committed_twice()


Fleet.TestCase.settings = hypothesis_settings(max_examples=40, stateful_step_count=40, deadline=None)
TestFleet = Fleet.TestCase


def test_a_job_goes_round_among_three() -> None:
    lab = Lab(SETTINGS)
    lab.members[0].desk.submit(3)
    lab.run(900.0)
    assert {lab.read(job).phase for job in lab.logs()} == {Phase.ENDED}
    assert lab.members[0].desk.is_settled


def test_of_two_that_claim_at_the_same_moment_one_gets_the_job_and_one_commits_it() -> None:
    lab = Lab(SETTINGS, count=2)
    lab.members[0].desk.submit(1)
    while not lab.logs():
        lab.step(0)
    for _ in range(1000):
        lab.now_s += 5.0
        for number in (0, 1):
            lab.until_write(number)
        if all(isinstance(lab.pending[number], Put) for number in (0, 1)):
            break
    assert lab.pending[0].key == lab.pending[1].key  # type: ignore[union-attr]
    for number in (1, 0):
        lab.step(number)
    lab.run(900.0)
    assert sum(len(member.desk.committed) for member in lab.members) == 1


def test_a_claim_whose_answer_was_lost_is_recognised_as_ones_own() -> None:
    lab = Lab(SETTINGS, count=1)
    lab.members[0].desk.submit(1)
    claimed(lab, 0)
    lab.lose(0, applied=True)
    lab.run(900.0)
    (job,) = lab.logs()
    assert [type(entry).__name__ for entry in lab.entries(job)] == ["Spec", "Claim", "Done"]


def test_a_holder_that_died_is_robbed_after_its_lease_and_not_before() -> None:
    lab = Lab(SETTINGS)
    lab.members[0].desk.submit(1)
    holder = first_holder(lab)
    lab.crash(holder)
    (job,) = lab.logs()
    claimed_s = lab.read(job).held_since_s
    lab.run(LEASE_S - 60.0)
    assert lab.read(job).holder == f"pi{holder}"
    if holder == 0:  # the submitter is dead: whoever sweeps will find the job
        lab.run(SETTINGS.timing.sweep_s * 4)
    lab.run(3 * LEASE_S)
    log = lab.read(job)
    assert log.phase is Phase.ENDED
    steal = next(entry for entry in lab.entries(job) if isinstance(entry, Steal))
    assert steal.now_s - claimed_s > LEASE_S


def test_a_stale_holder_that_comes_back_can_not_commit() -> None:
    lab = Lab(SETTINGS, count=2)
    lab.members[0].desk.submit(1)
    holder = first_holder(lab)
    frozen = lab.pending.pop(holder)
    lab.run(4 * SETTINGS.timing.sweep_s)
    (job,) = lab.logs()
    assert lab.read(job).ended_by == f"pi{1 - holder}"
    lab.pending[holder] = frozen
    lab.run(300.0)
    assert lab.members[holder].desk.overtaken == [job]
    assert lab.read(job).ended_by == f"pi{1 - holder}"


def test_an_appliance_that_lost_its_memory_does_not_keep_its_job() -> None:
    lab = Lab(SETTINGS, count=2)
    lab.members[0].desk.submit(1)
    holder = first_holder(lab)
    desk = lab.members[holder].desk
    desk._held, desk.ends_s = None, float("inf")  # a new SD card
    lab.run(4 * SETTINGS.timing.sweep_s)
    (job,) = lab.logs()
    assert lab.read(job).phase is Phase.ENDED


def test_a_robot_that_does_not_fit_leaves_the_job_alone() -> None:
    lab = Lab(SETTINGS)
    for member in lab.members[1:]:
        member.desk.robot = "another"
    lab.members[1].desk.submit(4)
    lab.run(3000.0)
    assert {lab.read(job).ended_by for job in lab.logs()} == {"pi0"}


def test_two_machines_with_one_identity_are_noticed() -> None:
    lab = Lab(SETTINGS, count=1)
    lab.run(700.0)
    found = lab.perform(Get(lab.keys.heartbeat("pi0")))
    sealed = lab.identities[0].seal(Heartbeat(lab.roster.fleet, "pi0", "of another machine", 1, {}))
    lab.perform(Put(lab.keys.heartbeat("pi0"), sealed, if_etag=found.etag))
    lab.run(900.0)
    assert any("another machine" in text for text in lab.members[0].desk.complaints)


def test_while_a_holder_may_act_nobody_may_rob_it_however_clocks_run() -> None:
    timing = Timing()
    for rate in (0.6, 1.0, 1.7):
        for age_s in range(0, 2000, 7):
            if may_act(0.0, age_s * rate, 0.0, timing):
                assert not has_expired(0.0, float(age_s), timing.lease_s)


def first_holder(lab: Lab) -> int:
    """Let things run until somebody holds the only job."""
    for _ in range(500):
        lab.run(5.0)
        for job in lab.logs():
            if lab.read(job).phase is Phase.HELD:
                return int(lab.read(job).holder[2:])
    pytest.fail("nobody takes the job")


def claimed(lab: Lab, number: int) -> None:
    """Up to the moment when the claim is about to be sent."""
    for _ in range(2000):
        request = lab.pending[number]
        if isinstance(request, Put) and request.key.endswith("/0001"):
            return
        lab.step(number)
        if lab.pending[number] is request:
            lab.now_s += 5.0
    pytest.fail("it never claims")
