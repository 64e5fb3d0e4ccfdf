"""The owners' flavour resolves against a stand-in for Raspberry Pi's archive, which can't be reached from everywhere."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from image_build import apt_sources
from image_build.process import BuildError
from image_build.sd import contents, packages
from image_build.sd.raspberrypi import RASPBERRYPI

pytestmark = pytest.mark.slow


def deb(folder: Path, name: str) -> Path:
    """An empty package for arm64, newer than any of Debian's."""
    (folder / name / "DEBIAN").mkdir(parents=True)
    (folder / name / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: 9:2026+stub1\nArchitecture: arm64\nMaintainer: Nobody <nobody@example.org>\nDescription: stub\n"
    )
    file = folder / f"{name}.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", folder / name, file], check=True, capture_output=True)
    return file


def archive(folder: Path, names: tuple[str, ...]) -> str:
    """A package archive in the form of deb(5) and sources.list(5); its address."""
    index = folder / "dists/bookworm/main/binary-arm64"
    index.mkdir(parents=True)
    entries = []
    for name in names:
        file = deb(folder, name)
        control = subprocess.check_output(["dpkg-deb", "--field", file], text=True)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        entries.append(f"{control}Filename: ./{file.name}\nSize: {file.stat().st_size}\nSHA256: {digest}\n")
    (index / "Packages").write_text("\n".join(entries))
    content = (index / "Packages").read_bytes()
    (folder / "dists/bookworm/Release").write_text(
        "Suite: bookworm\nCodename: bookworm\nComponents: main\nArchitectures: arm64\nDate: Wed, 01 Jan 2025 00:00:00 UTC\n"
        f"SHA256:\n {hashlib.sha256(content).hexdigest()} {len(content)} main/binary-arm64/Packages\n"
    )
    return f"copy:{folder}"


def resolved(folder: Path, names: tuple[str, ...]) -> None:
    trusted = replace(RASPBERRYPI.archives[0], uri=archive(folder, names), keyring="")
    flavour = replace(RASPBERRYPI, archives=(trusted,))
    machine_suite = apt_sources.codename(Path("/etc/os-release").read_text())
    sources = packages.sources(flavour, machine_suite, apt_sources.read())
    packages.simulate(flavour, (*contents.PACKAGES, *flavour.packages), sources)


def test_all_packages_are_there_and_go_together(tmp_path: Path) -> None:
    resolved(tmp_path, RASPBERRYPI.packages)


def test_an_archive_without_the_kernel_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="linux-image-rpi-v8"):
        resolved(tmp_path, tuple(name for name in RASPBERRYPI.packages if not name.startswith("linux")))
