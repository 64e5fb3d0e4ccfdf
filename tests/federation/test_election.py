"""Several compactors: the operator chooses them, they elect one, and when it is gone another one takes over."""

from __future__ import annotations

from dataclasses import replace

from appliance.federation.election import Term
from appliance.federation.requests import Get, Put, Status
from appliance.federation.simulation.play import play
from appliance.federation.simulation.settings import NO_FAULTS, Settings
from tests.federation.lab import Lab

QUIET = replace(Settings(run_s=(60.0, 120.0)), faults=NO_FAULTS, compactors=2)
ROUNDS_S = 3 * QUIET.timing.compact_s


def terms(lab: Lab) -> list[str]:
    """Who was elected, in order."""
    names = lab.store.names(lab.keys.terms)
    return [lab.roster.open(lab.perform(Get(name)).body)[1].who for name in names]


def test_one_of_two_is_elected_and_stays_so() -> None:
    lab = Lab(QUIET)
    lab.run(ROUNDS_S)
    assert len(terms(lab)) == 1
    assert terms(lab)[0] in {"pi0", "pi1"}


def test_when_the_elected_one_is_gone_the_other_takes_over_after_a_lease() -> None:
    lab = Lab(QUIET)
    lab.run(ROUNDS_S)
    first = int(terms(lab)[0][2:])
    lab.crash(first)
    lab.run(QUIET.timing.lease_s / 2)
    assert len(terms(lab)) == 1
    lab.run(QUIET.timing.lease_s + ROUNDS_S)
    assert terms(lab) == [f"pi{first}", f"pi{1 - first}"]
    lab.boot(first)
    lab.run(ROUNDS_S)
    assert len(terms(lab)) == 2, "it doesn't take it back"


def test_a_member_that_the_operator_has_not_chosen_elects_nobody() -> None:
    lab = Lab(QUIET)
    lab.run(ROUNDS_S)
    usurper = lab.identities[2].seal(Term(lab.roster.fleet, 2, "", "pi2", "1"))
    assert lab.perform(Put(lab.keys.term(2), usurper, create=True)).status is Status.OK
    lab.run(2 * QUIET.timing.lease_s + ROUNDS_S)
    assert terms(lab)[-1] in {"pi0", "pi1"}


def test_a_fleet_with_three_compactors_keeps_its_promises() -> None:
    report = play(Settings(20, 200, compactors=3, quick_signatures=True), measure_idle=False)
    assert (report.commits, report.doubles, report.lost, report.violations) == (200, 0, 0, [])
