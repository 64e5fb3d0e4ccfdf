"""A release is made from the last commit, and what is in it works in an environment that holds nothing else."""

from __future__ import annotations

import re
import subprocess
import tarfile
import venv
from pathlib import Path

import pytest

from image_build import release

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

README = (release.CHECKOUT / "README.md").read_text()
VERSION = release.agreed_version(release.CHECKOUT)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release") / "made"
    release.build(release.CHECKOUT, folder)
    return folder


def test_everything_in_it_has_its_checksum(made: Path) -> None:
    done = subprocess.run(["sha256sum", "--check", "--strict", release.SUMS], cwd=made, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    named = {line.split()[1] for line in (made / release.SUMS).read_text().splitlines()}
    assert named == {path.name for path in made.iterdir()} - {release.SUMS}
    assert {name for name in named if not name.endswith(".img.zst")} == {
        f"gym_raas-{VERSION}-py3-none-any.whl",
        f"gym_raas-{VERSION}.tar.gz",
        f"raas-{VERSION}-source.tar.gz",
        f"raas-{VERSION}.cdx.json",
        f"raas_appliance-{VERSION}-py3-none-any.whl",
        f"raas_appliance-{VERSION}.tar.gz",
    }


@pytest.mark.parametrize("kind", ["-py3-none-any.whl", ".tar.gz"])
def test_both_packages_install_from_either_form_and_work(made: Path, tmp_path: Path, kind: str) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv/bin"
    packages = [made / f"{name}-{VERSION}{kind}" for name in ("gym_raas", "raas_appliance")]
    run([binaries / "python", "-m", "pip", "install", "--quiet", *packages], tmp_path)
    assert "emergency stop" in run([binaries / "raas", "--help"], tmp_path).lower()
    assert "job.limit_s" in run([binaries / "raas", "config"], tmp_path)
    (program,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "run.py").write_text(program)
    run([binaries / "python", "run.py"], tmp_path)
    inside = "import appliance, pathlib; print(*sorted(p.name for p in pathlib.Path(appliance.__path__[0]).rglob('*')))"
    files = run([binaries / "python", "-c", inside], tmp_path).split()
    assert {"uPlot.iife.min.js", "layout.html", "seccomp.json"} <= set(files), "pages and data come along"


def test_the_source_is_the_commit_and_says_how_to_start(made: Path, tmp_path: Path) -> None:
    with tarfile.open(made / f"raas-{VERSION}-source.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    assert "make run" in run(["make", "help"], folder)
    assert not (folder / ".git").exists()
    assert (folder / "systemd").is_dir()


def run(command: list[str | Path], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout
