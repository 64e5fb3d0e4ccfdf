"""The simulation that the fleet's promises are measured with, and that it notices when one is broken."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from appliance import ulid
from appliance.federation import claiming, holding
from appliance.federation.simulation.endpoint import play_on
from appliance.federation.simulation.play import idle_day, play
from appliance.federation.simulation.report import cost_usd
from appliance.federation.simulation.settings import NO_FAULTS, Prices, Settings
from appliance.federation.station import Station
from tests.federation.servers import seaweedfs

SEEDS = 20


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_fifty_appliances_commit_five_hundred_jobs_once_each_whatever_happens(seed: int) -> None:
    report = play(Settings(seed=seed, quick_signatures=seed > 1), measure_idle=False)
    assert (report.jobs, report.commits, report.doubles, report.lost) == (500, 500, 0, 0), report.violations
    assert report.violations == []
    events = report.events
    assert events["killed"] + events.get("killed_for_good", 0) == 5
    assert events["lost_replies"] > 100
    assert events["paused"] == 5
    assert report.stale_holders_refused > 0
    assert report.refused_entries == 0


def test_the_same_seed_gives_the_same_run() -> None:
    first, second = (play(Settings(20, 60, seed=3, quick_signatures=True), measure_idle=False) for _ in range(2))
    assert first == second


def test_an_idle_appliance_costs_less_than_a_fifth_of_a_cent_a_day() -> None:
    assert cost_usd(idle_day(Settings()), Prices()) <= 0.002


def test_no_look_takes_more_than_one_page() -> None:
    assert play(Settings(20, 100, quick_signatures=True), measure_idle=False).list_pages_per_look <= 1.0


def test_in_a_calm_fleet_jobs_are_picked_up_within_a_minute() -> None:
    report = play(Settings(50, 300, load=0.3, batch=1, faults=NO_FAULTS, quick_signatures=True), measure_idle=False)
    assert report.pick_up_s["p95"] <= 70.0
    assert (report.commits, report.steals) == (300, 0)


@pytest.mark.parametrize("in_one_moment", [False, True])
def test_more_jobs_in_a_second_than_a_page_shows_are_all_found(
    monkeypatch: pytest.MonkeyPatch, *, in_one_moment: bool
) -> None:
    """200 jobs a second, 600 names; and the same with names that nothing but chance puts in an order."""
    if in_one_moment:
        monkeypatch.setattr(
            Station, "new_job", lambda station, _: ulid.new(int(station.server_s()), station.rng.getrandbits(80))
        )
    crowded = Settings(300, 1500, run_s=(1.0, 2.0), load=0.95, batch=20, faults=NO_FAULTS, quick_signatures=True)
    report = play(crowded, measure_idle=False)
    assert (report.commits, report.lost) == (1500, 0), report.violations


def test_a_fleet_without_fencing_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members that rob others too early and believe that every write of theirs succeeded: the audit must say so."""
    monkeypatch.setattr(claiming, "has_expired", lambda *_: True)
    monkeypatch.setattr(holding, "_still_mine", _believe)
    report = play(Settings(20, 200, quick_signatures=True), measure_idle=False)
    assert report.violations
    assert report.doubles > 0


def _believe(station, held):  # type: ignore[no-untyped-def]
    station.desk.let_go("")
    return None
    yield


def test_the_command_prints_the_figures_and_its_exit_status_says_whether_they_are_right() -> None:
    command = [
        sys.executable,
        "-m",
        "appliance.cli",
        "--json",
        "fleet",
        "simulate",
        "--appliances",
        "10",
        "--jobs",
        "20",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert {
        "jobs", "commits", "doubles", "lost", "requests_per_job", "cost_per_appliance_day_usd", "violations",
    } <= report.keys()  # fmt: skip
    assert (report["jobs"], report["commits"], report["violations"]) == (20, 20, [])


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_promises_hold_on_a_real_server() -> None:
    with seaweedfs() as where:
        report = play_on(where, Settings(12, 60))
    assert (report.jobs, report.commits, report.doubles, report.lost) == (60, 60, 0, 0), report.violations
    assert report.violations == []


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_fifty_appliances_commit_five_hundred_jobs_once_each_on_a_real_server(seed: int) -> None:
    with seaweedfs() as where:
        report = play_on(where, Settings(seed=seed))
    assert (report.jobs, report.commits, report.doubles, report.lost) == (500, 500, 0, 0), report.violations
    assert report.violations == []
    assert report.events["killed"] + report.events["killed_for_good"] == report.events["paused"] == 5
    assert report.events["lost_replies"] > 50
    assert report.stale_holders_refused > 0
