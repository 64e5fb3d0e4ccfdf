"""Programs with the habits of the original's users run on the robot as they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.jobs import State
from tests.appliance_process import Appliance

PROGRAMS = Path(__file__).parent.parent / "contract" / "classic"
EXAMPLES = Path(__file__).parent.parent.parent / "gym_raas" / "examples"
RUNS = [path for root in (PROGRAMS, EXAMPLES) for path in sorted(root.glob("*/run.py"))]
FOLDERS = [path.parent for path in RUNS if "raascart" not in path.read_text()]  # the cart's has a test of its own


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_unchanged_program_drives_the_robot(appliance: Appliance, folder: Path) -> None:
    files = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    job = appliance.finished(appliance.submit(files, folder.name).id, 90.0)
    assert job.state == State.SUCCEEDED, f"{job.sentence}\n{appliance.log(job.id)}"
    assert (job.attempt, job.exit_code) == (1, 0)
    assert job.steps
    assert appliance.client.robot().fault == "none"
