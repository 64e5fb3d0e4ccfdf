"""Packages come from where they should: Debian's from the machine's sources, the kernel from the flavour's archive."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from image_build import apt_sources
from image_build.process import BuildError
from image_build.sd import contents, packages
from image_build.sd.debian import DEBIAN
from image_build.sd.raspberrypi import RASPBERRYPI

MACHINE = {Path("debian.list"): "deb [signed-by=/k.gpg] http://mirror.local/debian trixie main contrib\n"}


def test_the_build_uses_the_machines_mirror_and_the_flavours_archive() -> None:
    archive = replace(RASPBERRYPI.archives[0], uri="http://pi.local/debian")
    assert packages.sources(replace(RASPBERRYPI, archives=(archive,)), "trixie", MACHINE).splitlines() == [
        "deb [signed-by=/k.gpg] http://mirror.local/debian bookworm main non-free-firmware",
        "deb [signed-by=/usr/share/keyrings/raspberrypi-archive-keyring.gpg] http://pi.local/debian bookworm main",
    ]


def listed(extra: tuple[str, ...] = ()) -> tuple[str, ...]:
    return (*contents.PACKAGES, *DEBIAN.packages, *extra)


def machine_sources() -> str:
    machine_suite = apt_sources.codename(Path("/etc/os-release").read_text())
    return packages.sources(DEBIAN, machine_suite, apt_sources.read())


@pytest.mark.slow
def test_all_packages_are_there_and_go_together() -> None:
    packages.simulate(DEBIAN, listed(), machine_sources())


@pytest.mark.slow
def test_a_package_that_is_not_there_is_named() -> None:
    with pytest.raises(BuildError, match="no-such-package"):
        packages.simulate(DEBIAN, listed(("no-such-package",)), machine_sources())


@pytest.mark.slow
def test_an_archive_without_the_right_signature_is_refused(tmp_path: Path) -> None:
    archive = replace(RASPBERRYPI.archives[0], uri=f"file://{tmp_path}")
    flavour = replace(RASPBERRYPI, archives=(archive,))
    with pytest.raises(BuildError, match=r"mmdebstrap"):
        packages.simulate(flavour, listed(), packages.sources(flavour, "bookworm", apt_sources.read()))
