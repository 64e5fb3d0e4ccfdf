"""Set-up is one command, and the second time it has nothing to do."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def make(*targets: str) -> str:
    done = subprocess.run(
        ["make", "--no-print-directory", *targets], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_second_set_up_has_nothing_to_do() -> None:
    make("setup-dev")
    started_s = time.monotonic()
    assert make("setup-dev") == ""
    assert make("setup") == "", "what testing needs includes what running needs"
    assert time.monotonic() - started_s < 2 * 2


def test_a_failed_step_shows_why_and_what_to_do(tmp_path: Path) -> None:
    """A copy of the checkout's set-up files whose front-end step can't work."""
    files = ("requirements-build.txt", "requirements-dev.txt", "requirements.txt", "pyproject.toml", "package.json")
    for name in (*files, "package-lock.json", "gym_raas/pyproject.toml", "image_build/setup.sh"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / "image_build/front_end.sh").write_text("#!/bin/sh\necho the disk is full\nfalse\n")
    for name in ("setup.sh", "front_end.sh"):
        (tmp_path / "image_build" / name).chmod(0o755)
    _pretend_python_is_done(tmp_path)
    done = subprocess.run(
        [tmp_path / "image_build/setup.sh", "dev"], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stdout == "Front-end libraries ... failed\n\nthe disk is full\n"
    assert "npm must reach its registry." in done.stderr
    assert "run the same command again" in done.stderr


def _pretend_python_is_done(folder: Path) -> None:
    """Give `folder` an empty Python environment with the stamp of this checkout's full one."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / ".venv"], check=True)
    (folder / ".cache/setup").mkdir(parents=True)
    (folder / ".cache/setup/python.stamp").write_text((ROOT / ".cache/setup/python.stamp").read_text())


def test_every_command_of_the_makefile_is_explained() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    listed = re.findall(r"^  make ([a-z-]+) +\w", make("help"), re.MULTILINE)
    assert sorted(listed) == sorted(phony[1].split())


def test_continuous_integration_runs_what_people_run() -> None:
    assert "make test" in (ROOT / ".ci/run").read_text().splitlines()
