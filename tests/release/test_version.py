"""Both projects bear one version, which one command sets; a release that would mix two isn't made."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from image_build import release
from image_build.process import BuildError


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("pyproject.toml", "gym_raas/pyproject.toml", "CHANGELOG.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((release.CHECKOUT / name).read_text())
    return tmp_path


def test_both_projects_state_the_same_version() -> None:
    assert release.agreed_version(release.CHECKOUT)


def test_one_command_sets_it_everywhere_and_changes_nothing_else(checkout: Path) -> None:
    before = tomllib.loads((checkout / "pyproject.toml").read_text())
    release.set_version(checkout, "7.8.9rc1", "2031-02-03")
    assert release.agreed_version(checkout) == "7.8.9rc1"
    after = tomllib.loads((checkout / "pyproject.toml").read_text())
    assert after["project"].pop("version") != before["project"].pop("version")
    assert after == before
    changelog = (checkout / "CHANGELOG.md").read_text()
    assert "\n## [Unreleased]\n\n## [7.8.9rc1] - 2031-02-03\n\n### Added\n" in changelog


@pytest.mark.parametrize("version", ["", "1", "1.2", "v1.2.3", "1.2.3\nname = 'x'", "1.2.3-dirty"])
def test_what_is_no_version_is_refused_and_nothing_is_written(checkout: Path, version: str) -> None:
    before = (checkout / "pyproject.toml").read_text()
    with pytest.raises(BuildError, match="expected is one like"):
        release.set_version(checkout, version, "2031-02-03")
    assert (checkout / "pyproject.toml").read_text() == before


def test_a_version_is_given_once(checkout: Path) -> None:
    release.set_version(checkout, "7.8.9", "2031-02-03")
    with pytest.raises(BuildError, match="already"):
        release.set_version(checkout, "7.8.9", "2031-02-04")


def test_two_versions_make_no_release(checkout: Path) -> None:
    path = checkout / "gym_raas/pyproject.toml"
    path.write_text(path.read_text().replace('version = "', 'version = "9'))
    with pytest.raises(BuildError, match="set both with"):
        release.build(checkout, checkout / "out")
    assert not (checkout / "out").exists()


def test_a_folder_with_something_in_it_is_left_alone(checkout: Path) -> None:
    (checkout / "out").mkdir()
    (checkout / "out/thesis.txt").write_text("mine")
    with pytest.raises(BuildError, match="isn't empty"):
        release.build(checkout, checkout / "out")
    assert (checkout / "out/thesis.txt").read_text() == "mine"
