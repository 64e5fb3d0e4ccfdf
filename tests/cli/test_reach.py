"""What `raas` makes of what a person types."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from appliance.cli import reach
from appliance.client import packed
from appliance.paths import Paths


@pytest.mark.parametrize("source", ["https://example.org/a.git", "http://x/y", "git@example.org:a/b", "repo.git"])
def test_urls_are_left_to_the_appliance_to_judge(source: str) -> None:
    assert reach.is_git(source)


def test_a_folder_is_no_url_even_if_it_ends_like_one(tmp_path: Path) -> None:
    folder = tmp_path / "pendulum.git"
    folder.mkdir()
    assert not reach.is_git(str(folder))


def test_the_running_appliance_of_a_data_folder_is_found(tmp_path: Path) -> None:
    paths = Paths.of(tmp_path / "data", tmp_path / "run")
    assert reach.address("", paths) == reach.DEFAULT_URL
    paths.address.parent.mkdir(parents=True)
    paths.address.write_text("http://127.0.0.1:4711")
    assert reach.address("", paths) == "http://127.0.0.1:4711"
    assert reach.address("lab.local:8080", paths) == "http://lab.local:8080"


def test_a_packed_folder_has_its_files_and_neither_caches_nor_links(tmp_path: Path) -> None:
    for name in ("run.py", "policy/weights.bin", ".git/config", "__pycache__/run.pyc"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    (tmp_path / "passwd").symlink_to("/etc/passwd")
    archive = packed(tmp_path)
    with tarfile.open(archive) as tar:
        names = {name.removeprefix("./") for name in tar.getnames()}
    archive.unlink()
    assert names == {".", "run.py", "policy", "policy/weights.bin"}
