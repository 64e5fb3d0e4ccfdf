"""Limits that don't hold are missed, and jobs wait then, unless the owner of a twin has said otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance import facts
from appliance.config import RobotSection, SandboxSection
from appliance.engine import docker_host
from appliance.errors import EngineError
from appliance.jobs import Reason, State
from appliance.running import berth, cell, probe, proof
from appliance.running.cell import Finding, Fitting, Limits, Spec
from appliance.running.docker_cell import DockerCells
from appliance.running.proof import Proof
from tests.runner_house import House

LIMITS = Limits(uid=61000, memory_mb=160, pids=64, cpus=0.5, tmp_mb=16, cores=(0,))
NAMES = [check.__name__ for check in probe.CHECKS]
MEMORY = Finding("memory", held=False, seen="a program that took 240 MiB lived")


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[DockerCells]:
    made = DockerCells(docker_host(os.environ), f"proof-{tmp_path.name[-20:]}")
    yield made
    made.sweep()
    made.close()


def proven(cells: DockerCells, folder: Path, image: str) -> dict[str, Finding]:
    labels = {cell.LABEL: cells._tag}
    spec = Spec(cells._tag, Fitting(image), folder / "source", folder / "session", labels, LIMITS)
    made = berth.make(cells, "0" * 16, spec)
    proof.prepare(spec)
    try:
        return {finding.limit: finding for finding in cells.prove(made.cell, folder / "output.log")}
    finally:
        made.remove()


def test_every_limit_of_a_cell_is_shown_to_hold(cells: DockerCells, tmp_path: Path, image: str) -> None:
    found = proven(cells, tmp_path, image)
    assert list(found) == NAMES
    assert [finding for finding in found.values() if not finding.held] == []


def test_every_limit_that_is_taken_away_is_missed(
    cells: DockerCells, tmp_path: Path, image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = cell.host_config

    def weak(spec: Spec) -> dict[str, Any]:
        """As if Docker or the kernel took no notice; `_numbers` still wants the strict ones."""
        host = strict(spec)
        host.update(read_only=False, cap_drop=[], security_opt=["seccomp=unconfined"], pids_limit=-1)
        host.update(tmpfs={"/tmp": "rw,mode=1777", "/dev/shm": "rw,mode=1777"}, cpuset_cpus="", nano_cpus=0)
        host.update(mem_limit=0, memswap_limit=0)
        return host

    labels = {cell.LABEL: cells._tag}
    spec = Spec(cells._tag, Fitting(image), tmp_path / "source", tmp_path / "session", labels, LIMITS)
    with monkeypatch.context() as patch:
        patch.setattr(cell, "host_config", weak)
        patch.setattr(cell, "ulimits", lambda spec: {"nofile": 4096})
        patch.setattr(cell, "mounts", lambda spec: {cell.WORK_DIR: spec.source})
        made = berth.make(cells, "0" * 16, spec)
    proof.prepare(spec)
    found = cells.prove(made.cell, tmp_path / "output.log")
    made.remove()
    # The user and locked memory are the image's and the engine's own, and a machine with one core for jobs has no other to offer.
    spared = {"user", "locked_memory", "core_dumps", "read_only", "cores", "cpu_time"}
    assert {finding.limit for finding in found if finding.held} <= spared, found


def test_what_the_probe_says_nothing_about_is_not_proven() -> None:
    found = proof.read('["user", true, "1"]\nnoise\n["memory", "yes", 3]\n', ["user", "memory"])
    assert [(finding.limit, finding.held) for finding in found] == [("user", True), ("memory", False)]
    with pytest.raises(EngineError, match="said nothing: noise"):
        proof.read("noise", ["user"])


def test_the_sentence_says_what_is_missing_and_what_to_do() -> None:
    assert Proof("k", (Finding("user", held=True, seen="x"),)).sentence() == ""
    said = Proof("k", (MEMORY,)).sentence()
    assert "memory (a program that took 240 MiB lived)" in said
    assert "cgroup_enable=memory" in said


# --- and then -----------------------------------------------------------------------------------------------------------


def house_of(folder: Path, *, link: str = "twin", allow: bool = False) -> House:
    """A house in which the limit on memory doesn't hold."""
    made = House(folder)
    sandbox = SandboxSection(allow_unenforced=allow)
    made.config = made.config.__class__(
        job=made.config.job,
        realtime=made.config.realtime,
        storage=made.config.storage,
        robot=RobotSection(link=link),  # type: ignore[arg-type] # one of the two
        sandbox=sandbox,
    )
    made.cells.findings = (MEMORY,)
    made.start()
    return made


@pytest.mark.parametrize(("link", "allow"), [("twin", False), ("pigpiod", True)])
def test_jobs_wait_where_a_limit_does_not_hold(tmp_path: Path, link: str, allow: bool) -> None:
    house = house_of(tmp_path, link=link, allow=allow)
    job_id = house.submit()
    house.until(lambda: "doesn't enforce" in house.store.fact(facts.QUEUE_HOLD))
    assert ("allow_unenforced" in house.store.fact(facts.QUEUE_HOLD)) is (link == "twin")
    house.until(lambda: house.store.get(job_id).reason is Reason.ENGINE_UNAVAILABLE)
    assert house.store.get(job_id).state is State.QUEUED
    assert house.store.fact(facts.UNENFORCED) == ""
    house.close()


def test_the_owner_of_a_twin_may_allow_it_and_everybody_is_told(tmp_path: Path) -> None:
    house = house_of(tmp_path, allow=True)
    assert house.until_final(house.submit()).state is State.SUCCEEDED
    assert "memory" in house.store.fact(facts.UNENFORCED)
    house.stop()
    house.cells.findings = ()
    house.start()
    assert house.until_final(house.submit()).state is State.SUCCEEDED
    assert house.store.fact(facts.UNENFORCED) == ""
    house.close()


def test_limits_that_held_are_not_tried_again_until_something_changes(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.start()
    assert house.until_final(house.submit()).state is State.SUCCEEDED
    house.stop()
    house.cells.findings = (MEMORY,)  # which nobody asks about
    house.start()
    assert house.until_final(house.submit()).state is State.SUCCEEDED
    house.close()
