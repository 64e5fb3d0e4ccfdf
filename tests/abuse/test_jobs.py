"""Hostile programs, run as jobs: what they must not be able to do, and that the host is as before."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import requests

from appliance.realtime.control import GuardClient, Status
from tests.abuse.programs import PROGRAMS, Program
from tests.appliance_process import Appliance, eventually


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


def host(victim: Appliance) -> dict[str, object]:
    """What of the host a job could leave behind: processes of its user, containers, mounts, sessions."""

    def processes_are_gone() -> bool:
        return not processes(victim)

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


def processes(victim: Appliance) -> list[int]:
    """Everything that sees one of this appliance's folders in a place of its own, so runs in one of its cells."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                mounts = (entry / "mountinfo").read_text()
            except OSError:
                continue
            if f" {victim.paths.data}/jobs/" in mounts.replace(f"{victim.paths.data}/jobs/.cells/", ""):
                found.append(int(entry.name))
    return found


def fetched(victim: Appliance, address: str) -> str:
    return requests.get(victim.url + address, headers={"Accept": "text/html"}, timeout=10).text
