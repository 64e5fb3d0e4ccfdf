"""The planning code in the hands of an adversary: any order of answers, losses, crashes and late writes."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from appliance.federation.entries import Done, Steal
from appliance.federation.heartbeat import Heartbeat
from appliance.federation.joblog import Phase
from appliance.federation.requests import Get, Put
from appliance.federation.simulation.settings import NO_FAULTS, Settings
from appliance.federation.timing import Timing, has_expired, may_act
from tests.federation.lab import Lab

SETTINGS = Settings(run_s=(60.0, 120.0), faults=NO_FAULTS)
LEASE_S = SETTINGS.timing.lease_s
MEMBER = st.integers(0, 2)


class Fleet(RuleBasedStateMachine):
    """Three members and an adversary."""

    def __init__(self) -> None:
        super().__init__()
        self.lab = Lab(SETTINGS)
        self.jobs = 0

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

    @invariant()
    def no_job_is_committed_twice(self) -> None:
        believed = Counter(job for member in self.lab.members for job in member.desk.committed)
        assert all(count == 1 for count in believed.values()), believed
        for job in self.lab.logs():
            log = self.lab.read(job)
            if believed[job]:
                assert log.phase is Phase.ENDED
                assert isinstance(log.ending, Done)
            assert sum(isinstance(entry, Done) for entry in self.lab.entries(job)) <= 1

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


Fleet.TestCase.settings = hypothesis_settings(max_examples=50, stateful_step_count=40, deadline=None)
TestFleet = Fleet.TestCase


def test_a_job_goes_round_among_three() -> None:
    lab = Lab(SETTINGS)
    lab.members[0].desk.submit(3)
    lab.run(900.0)
    assert {lab.read(job).phase for job in lab.logs()} == {Phase.ENDED}
    assert lab.members[0].desk.is_settled


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
