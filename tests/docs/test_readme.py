"""The README says what is true: its program runs, its commands exist, nothing is left out."""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)


def test_the_program_of_the_first_page_runs_as_it_stands(tmp_path: Path) -> None:
    (program,) = [text for language, text in BLOCKS if language == "python"]
    (tmp_path / "run.py").write_text(program)
    done = subprocess.run([sys.executable, "run.py"], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_every_make_target_that_it_names_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert named <= targets
    assert {"run", "test"} <= named


def test_every_command_is_documented_and_every_documented_one_exists() -> None:
    listed = set(re.findall(r"`raas ([a-z][a-z-]*)", README))
    shown = subprocess.run(
        [sys.executable, "-m", "appliance.cli", "--help"], capture_output=True, text=True, timeout=60
    )
    commands = set(re.findall(r"^│ ([a-z][a-z-]*) {2,}", shown.stdout, re.MULTILINE))
    assert {"up", "submit", "motor-off"} <= commands
    assert listed == commands


def test_its_pictures_and_links_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target


@pytest.mark.timeout(600)
def test_gym_raas_installs_alone_and_the_example_runs_as_the_readme_says(tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "./gym_raas"],
        cwd=ROOT,
        check=True,
        timeout=500,
        capture_output=True,
    )
    example = ROOT / "gym_raas" / "examples" / "swing_up"
    done = subprocess.run([python, "run.py"], cwd=example, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "upright for" in done.stdout
    owned = subprocess.run([python, "-c", "import appliance"], cwd=tmp_path, capture_output=True)
    assert owned.returncode != 0, "gym_raas needs nothing of the appliance"
