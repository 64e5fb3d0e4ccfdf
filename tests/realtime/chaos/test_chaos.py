"""Break everything that can break while the motor runs, and read at the twin when both pins went off.

The default suite takes a sample; `make chaos` 1,080 injections, half of them under load, and prints the table.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
from pathlib import Path

import pytest

from appliance.benchmark.realtime import stressed
from tests.realtime.chaos import tally
from tests.realtime.chaos.host_stalls import watched
from tests.realtime.chaos.house_faults import HOUSE
from tests.realtime.chaos.injecting import STAGE, Place, Plan, carry_out
from tests.realtime.chaos.tally import Injection, Promise

ROUNDS = ((STAGE, 20), (HOUSE, 16))
PROMISE = Promise("loop killed", 0.1, "guard")


def break_all(folder: Path, place: Place, rounds: int, *, load: bool) -> list[Injection]:
    """Every class of faults `rounds` times in random order."""
    seed = random.randrange(1 << 16)
    plan = Plan(place, seed, range(rounds * len(place.promises)), load, folder / f"results-{load}")
    with watched(folder) as stalls, stressed() if load else contextlib.nullcontext():
        carry_out(plan, folder, stalls, print)
    return tally.read([plan.results])


def test_whatever_breaks_the_motor_is_off_in_time_and_stays_off(tmp_path: Path) -> None:
    found = break_all(tmp_path, STAGE, 1, load=False)
    assert {injection.fault for injection in found} == {promise.name for promise in STAGE.promises}
    assert not any(injection.broken for injection in found), tally.report(found, STAGE.promises)


@pytest.mark.chaos
@pytest.mark.timeout(14400)
@pytest.mark.skipif(os.geteuid() != 0, reason="needs an engine of its own, so root")
def test_a_thousand_faults_and_not_one_motor_that_runs_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found: list[Injection] = []
    for number, (load, (place, rounds)) in enumerate(itertools.product((False, True), ROUNDS)):
        folder = tmp_path / str(number)
        folder.mkdir()
        found += break_all(folder, place, rounds, load=load)
    with capsys.disabled():
        print(f"\n\n{tally.report(found, [promise for place, _ in ROUNDS for promise in place.promises])}\n")
    assert len(found) >= 1000
    assert not any(injection.broken for injection in found)


def test_a_bound_that_was_missed_is_told_and_a_stall_of_the_host_is_allowed_on_top() -> None:
    assert not tally.lateness(PROMISE, 249.0, 0.0)
    assert "off after 260 ms, 250 were allowed" in tally.lateness(PROMISE, 260.0, 0.0)
    assert not tally.lateness(PROMISE, 260.0, 12.0)


def test_the_report_drops_nothing(tmp_path: Path) -> None:
    file = tmp_path / "results"
    tally.append(file, Injection(number=0, fault="loop killed", load=False, took_ms=3.0))
    tally.append(
        file, Injection(number=1, fault="loop killed", load=True, took_ms=300.0, stalled_ms=40.0, broken="late")
    )
    with file.open("ab") as out:
        out.write(b'{"number": 2, "fau')  # the run was killed here
    said = tally.report(tally.read([file]), [PROMISE])
    for wanted in (
        "1 injections without",
        "1 injections under",
        "broken promises: 1 of 2",
        "loop killed 40 ms",
        "late",
    ):
        assert wanted in said
