"""The command tells what it would build, and what it lacks, before it does anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from image_build import sd_image
from image_build.process import BuildError
from image_build.sd import tools


@pytest.mark.parametrize("flavour", ["debian", "raspberrypi"])
def test_the_plan_is_printed_without_building(flavour: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert sd_image.main([flavour, "--plan"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["flavour"] == flavour
    assert shown["image"] == f"raas-{flavour}-{shown['steps']['image']}"


def test_a_mirror_changes_where_packages_come_from_and_so_the_plan(capsys: pytest.CaptureFixture[str]) -> None:
    keys = []
    for arguments in ([], ["--archive", "http://mirror.example/raspberrypi"]):
        sd_image.main(["raspberrypi", "--plan", *arguments])
        keys.append(json.loads(capsys.readouterr().out)["steps"]["packages"])
    assert keys[0] != keys[1]


def test_the_owners_flavour_asks_where_its_archive_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert sd_image.main(["raspberrypi"]) == 1
    assert "--archive URI" in capsys.readouterr().err


def test_missing_tools_are_named_in_one_command() -> None:
    with pytest.raises(
        BuildError, match="`apt-get install gcc-aarch64-linux-gnu qemu-user-static libc6-dev-arm64-cross`"
    ):
        tools.check(is_root=True, there=lambda name: name not in {"aarch64-linux-gnu-gcc", "qemu-aarch64-static"})


def test_without_root_nothing_is_begun() -> None:
    with pytest.raises(BuildError, match="needs root"):
        tools.check(is_root=False, there=lambda name: True)


def test_make_image_starts_this_command() -> None:
    assert "-m image_build.sd_image" in (Path(sd_image.__file__).parents[1] / "Makefile").read_text()
