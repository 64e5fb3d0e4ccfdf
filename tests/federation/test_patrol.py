"""A job that everybody has forgotten, between thousands of names: only the elected compactor's walk comes by."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance import ulid
from appliance.federation.entries import Archive, Spec
from appliance.federation.joblog import Phase
from appliance.federation.simulation.cast import FLEET
from appliance.federation.simulation.settings import NO_FAULTS, Settings
from appliance.federation.timing import Timing
from tests.federation.lab import EPOCH_S, Lab

QUIET = replace(Settings(run_s=(60.0, 120.0)), faults=NO_FAULTS, timing=Timing(sweep_s=1e9))
DAY_S = 86400.0
HISTORY = 3000
PLACE = 2000
_ENDED = b"even"


def forgotten(lab: Lab) -> str:
    """An open job, ten days old, whose submitter is gone; before and after it what ended on the days around."""
    for number in range(HISTORY):
        job = ulid.new(EPOCH_S - 20 * DAY_S + number * 600.0, number)
        if number == PLACE:
            spec = Spec(
                fleet=FLEET,
                job=job,
                slot=0,
                prev="",
                by="pi2",
                nonce="1",
                archive=Archive("0" * 64, 1, b"x"),
                name="forgotten",
            )
            lab.put(job, 0, lab.identities[2].seal(spec, odd=True))
            lost = job
        else:
            for slot in range(3):
                lab.put(job, slot, _ENDED)
    return lost


@pytest.mark.parametrize(("compactors", "phase"), [(1, Phase.ENDED), (0, Phase.OPEN)])
def test_a_forgotten_job_is_found_by_the_compactors_walk(compactors: int, phase: Phase) -> None:
    lab = Lab(replace(QUIET, compactors=compactors))
    job = forgotten(lab)
    lab.run(QUIET.timing.lease_s + 3 * QUIET.timing.compact_s)
    assert lab.read(job).phase is phase
