"""Hostile programs, run as jobs: what they must not be able to do, and that the host is as before."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import requests

from appliance.jobs import State
from appliance.realtime.control import GuardClient, Status
from tests.abuse.programs import PROGRAMS, STUBBORN, Program
from tests.appliance_process import REPOSITORY, Appliance, eventually
from tests.process_table import in_cells

EVIDENCE = REPOSITORY / ".cache" / "abuse"


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_a_hostile_program_gets_nowhere_and_leaves_nothing(victim: Appliance, program: Program) -> None:
    ports = {
        "twin_port": (victim.paths.runtime / "twin.port").read_text().strip(),
        "web_port": victim.url.rsplit(":")[-1],
    }
    files = {name: content.format(**ports) for name, content in program.files.items()}
    before = host(victim)
    job = victim.finished(victim.submit({"run.py": program.source(), **files}, program.name).id)
    log = victim.log(job.id)
    keep_evidence(program, job.sentence, log)
    assert (job.state, job.attempt) == (program.state, 1), f"{job.sentence}\n{log[-2000:]}"
    assert "BROKEN" not in log
    assert [said for said in program.prints if said not in log] == []
    assert program.detail in job.sentence
    assert host(victim) == before
    with GuardClient(victim.paths.control("stop")) as guard:
        robot = guard.ask(Status())
    assert (robot.state, robot.fault, robot.loop_alive, robot.gateway_alive) == ("disarmed", "none", True, True)


def test_what_a_program_prints_is_shown_as_text(victim: Appliance) -> None:
    said = "<script>alert(1)</script></pre><img src=x onerror=alert(2)>"
    code = f"print({said!r}); raise SystemExit({said!r})"
    job = victim.finished(victim.submit({"run.py": code}, name=said).id)
    for address in (f"/jobs/{job.id}", "/jobs", "/"):
        page = fetched(victim, address)
        assert "<script>alert" not in page
        assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in fetched(victim, f"/jobs/{job.id}")


def test_a_cancelled_program_is_gone_within_two_seconds_whatever_it_ignores(victim: Appliance) -> None:
    took_s = sorted(cancelling_s(victim) for _ in range(3))
    assert took_s[1] < 2.0, took_s


@pytest.mark.slow
def test_of_fifty_cancelled_programs_hardly_any_takes_two_seconds_to_go(victim: Appliance) -> None:
    took_s = sorted(cancelling_s(victim) for _ in range(50))
    print(f"cancel to cell gone: p50 {took_s[25]:.2f} s, p99 {took_s[49]:.2f} s")
    assert took_s[49] < 2.0, took_s


def test_a_program_that_ignores_everything_loses_the_motor_at_its_limit_and_is_gone_after_the_grace(
    victim: Appliance,
) -> None:
    limit_s, grace_s = 6.0, 0.5
    job_id = victim.submit({"run.py": STUBBORN}).id
    started_s = victim.reaches(job_id, State.RUNNING).started_at
    assert started_s is not None
    eventually(lambda: not in_cells(victim.paths.data), limit_s + grace_s + 5.0, "it is gone")
    assert time.time() - started_s < limit_s + grace_s + 1.0
    job = victim.finished(job_id)
    assert (job.state, job.reason) == (State.TIMED_OUT, "time_limit")
    with np.load(victim.paths.attempt(job_id, 1) / "trace.npz") as trace:
        t_s, driven = trace["t_us"] / 1e6, trace["command"] != 0
    assert driven.any()
    assert t_s[driven].max() - t_s[driven].min() < limit_s + 0.05


def cancelling_s(victim: Appliance) -> float:
    """From the wish to cancel a program that ignores every signal, to the end of its last process."""
    job_id = victim.submit({"run.py": STUBBORN}).id
    victim.reaches(job_id, State.RUNNING)
    eventually(lambda: "deaf" in victim.log(job_id), 5.0, "it ignores everything")
    begun_s = time.monotonic()
    victim.client.cancel(job_id)
    eventually(lambda: not in_cells(victim.paths.data), 10.0, "it is gone", pause_s=0.002)
    took_s = time.monotonic() - begun_s
    assert victim.finished(job_id).state == State.CANCELLED
    return took_s


def keep_evidence(program: Program, sentence: str, log: str) -> None:
    """What the program said itself, for whoever wants to read it."""
    EVIDENCE.mkdir(parents=True, exist_ok=True)
    (EVIDENCE / f"{program.name}.txt").write_text(f"{program.tries}\n{program.holds}\n{sentence}\n\n{log}")


def host(victim: Appliance) -> dict[str, object]:
    """What of the host a job could leave behind: processes of its user, containers, mounts, sessions."""

    def processes_are_gone() -> bool:
        return not in_cells(victim.paths.data)

    eventually(processes_are_gone, 5.0, "the job's processes are gone")
    label = f"label=raas={victim.paths.tag}"

    def containers() -> list[str]:
        command = ["docker", "ps", "-aq", "-f", label]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    eventually(lambda: len(containers()) == 1, 10.0, "the next job's cell is the only one", then=containers)
    return {
        "mounts": [line for line in Path("/proc/mounts").read_text().splitlines() if str(victim.paths.data) in line],
        "sessions": len(list((victim.paths.runtime / "s").iterdir())),
        "shared memory": sorted(path.name for path in victim.paths.shm.iterdir()),
    }


def fetched(victim: Appliance, address: str) -> str:
    return requests.get(victim.url + address, headers={"Accept": "text/html"}, timeout=10).text
