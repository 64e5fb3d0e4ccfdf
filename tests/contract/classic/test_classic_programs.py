"""Programs with the habits of the original's users, each as its own process, in the simulation and against a gateway."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gym_raas import wire
from tests.gym_raas import stand_in
from tests.gym_raas.stand_in import StandIn

HERE = Path(__file__).parent
SLOW = {"sleeping"}
PROGRAMS = [
    pytest.param(folder, id=folder.name, marks=[pytest.mark.slow] if folder.name in SLOW else [])
    for folder in sorted(HERE.iterdir())
    if (folder / "run.py").exists()
]


def run(folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if "DISPLAY" not in name}
    return subprocess.run(
        [sys.executable, "run.py"], cwd=folder, env=clean | environment, capture_output=True, text=True, timeout=60
    )


def complaints(stderr: str) -> str:
    """What stands on stderr beside gym's own notice on its age, which appliances silence."""
    return "".join(line for line in stderr.splitlines() if "ym" not in line)


@pytest.mark.parametrize("folder", PROGRAMS)
def test_a_classic_program_runs_in_the_simulation(folder: Path) -> None:
    done = run(folder, {})
    assert done.returncode == 0, done.stderr
    assert complaints(done.stderr) == ""


@pytest.mark.parametrize("folder", PROGRAMS)
def test_the_same_program_drives_a_robot(folder: Path, tmp_path: Path) -> None:
    with stand_in.running(StandIn(f"ipc://@raas-test-{os.getpid()}-{folder.name}")) as gateway:
        done = run(folder, {wire.ENVIRONMENT_VARIABLE: gateway.address})
    assert done.returncode == 0, done.stderr
    assert complaints(done.stderr) == ""
    kinds = gateway.kinds()
    assert kinds[0] == "Hello"
    assert kinds.count("Action") >= 6
    assert kinds.count("Bye") == kinds.count("Hello")
