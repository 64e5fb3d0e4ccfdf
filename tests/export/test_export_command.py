from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from appliance.cli.context import Exit
from appliance.export.extra import MissingPackage, needed
from tests.export import bundles

NOBODY = "http://127.0.0.1:9"


def export(cwd: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "appliance.cli", "--url", NOBODY, "export", *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


def test_downloaded_bundles_become_one_file_without_an_appliance(tmp_path: Path) -> None:
    files = [bundles.bundle(tmp_path, lengths, seed) for seed, lengths in ((1, (6, 7)), (2, (8,)))]
    done = export(tmp_path, *files)
    assert done.returncode == 0, done.stderr
    assert "episodes.csv: 3 episodes, 21 steps" in done.stdout
    assert len((tmp_path / "episodes.csv").read_text().splitlines()) == 22
    assert not list(tmp_path.glob(".raas-export-*"))


@pytest.mark.parametrize(
    ("words", "says", "status"),
    [
        (("nothing.zip",), "nothing.zip is no bundle of a job that drove", Exit.FAILED),
        (("last",), "No appliance answers", Exit.UNREACHABLE),
        (("last", "--format", "hdf5"), "choose csv, lerobot, minari", Exit.FAILED),
        (("last", "-o", "."), "is there already", Exit.FAILED),
    ],
)
def test_what_cant_be_exported_is_said_and_nothing_is_left(
    tmp_path: Path, words: tuple[str, ...], says: str, status: Exit
) -> None:
    done = export(tmp_path, *words)
    assert (done.returncode, says in done.stderr) == (status, True), done.stderr
    assert not list(tmp_path.iterdir())


def test_a_place_that_cant_be_written_is_said(tmp_path: Path) -> None:
    done = export(tmp_path, bundles.bundle(tmp_path, (3,)), "-o", "no/such/folder.csv")
    assert done.returncode == 1
    assert "can't be written: No such file" in done.stderr


def test_a_package_that_is_missing_is_named_with_the_extra() -> None:
    with pytest.raises(MissingPackage, match=r"needs no_such_package.*pip install './gym_raas\[export\]'"):
        needed("no_such_package.part", "lerobot")
