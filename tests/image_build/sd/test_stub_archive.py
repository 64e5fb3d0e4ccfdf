"""The owners' flavour against a stand-in for Raspberry Pi's archive, which can't be reached from everywhere.

In the stand-in, Raspberry Pi's kernel is a package that wants Debian's, and its firmware package carries the hook that lays
kernel, initrd and device trees where the firmware looks for them. All the rest of the image is what owners get.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from image_build import apt_sources, sd_image
from image_build.process import BuildError
from image_build.sd import build, contents, layout, packages
from image_build.sd.flavour import Flavour
from image_build.sd.plan import plan
from image_build.sd.raspberrypi import RASPBERRYPI
from image_build.sd.workshop import Workshop, inputs

#: What a package of the stand-in wants, and the files in it.
WANTS = {"linux-image-rpi-v8": "linux-image-arm64"}
HOOK = """#!/bin/sh
# Called with the kernel's version and its initrd.
set -e
mkdir -p /boot/firmware
cp "/boot/vmlinuz-$1" /boot/firmware/kernel8.img
cp "$2" /boot/firmware/initramfs8
cp /usr/lib/linux-image-"$1"/broadcom/bcm2711-rpi-4-b.dtb /usr/lib/linux-image-"$1"/broadcom/bcm2837-rpi-3-b-plus.dtb /boot/firmware/
"""
FILES = {
    "raspi-firmware": {
        "etc/initramfs/post-update.d/z50-raspi-firmware": HOOK,
        "boot/firmware/start4.elf": "stub",
        "boot/firmware/overlays/README": "stub",
    }
}


def deb(folder: Path, name: str) -> Path:
    """A package for arm64, newer than any of Debian's."""
    (folder / name / "DEBIAN").mkdir(parents=True)
    wants = f"Depends: {WANTS[name]}\n" if name in WANTS else ""
    (folder / name / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: 9:2026+stub1\nArchitecture: arm64\nMaintainer: Nobody <nobody@example.org>\n"
        f"{wants}Description: stub\n"
    )
    for path, text in FILES.get(name, {}).items():
        file = folder / name / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
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


def with_archive(folder: Path, names: tuple[str, ...]) -> Flavour:
    trusted = replace(RASPBERRYPI.archives[0], uri=archive(folder, names), keyring="")
    return replace(RASPBERRYPI, archives=(trusted,))


def resolved(folder: Path, names: tuple[str, ...]) -> None:
    flavour = with_archive(folder, names)
    machine_suite = apt_sources.codename(Path("/etc/os-release").read_text())
    sources = packages.sources(flavour, machine_suite, apt_sources.read())
    packages.simulate(flavour, (*contents.PACKAGES, *flavour.packages), sources)


@pytest.mark.slow
def test_all_packages_are_there_and_go_together(tmp_path: Path) -> None:
    resolved(tmp_path, RASPBERRYPI.packages)


@pytest.mark.slow
def test_an_archive_without_the_kernel_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="linux-image-rpi-v8"):
        resolved(tmp_path, tuple(name for name in RASPBERRYPI.packages if not name.startswith("linux")))


@pytest.mark.image
@pytest.mark.timeout(2 * 3600)
def test_the_whole_card_is_built(tmp_path: Path) -> None:
    # In the builder's cache, so that a test that was cut goes on where it was.
    archive_folder, cache = sd_image.CACHE / "stand_in/archive", sd_image.CACHE / "stand_in"
    shutil.rmtree(archive_folder, ignore_errors=True)
    flavour = with_archive(archive_folder, RASPBERRYPI.packages)
    planned = plan(flavour, inputs(flavour.suite))
    for name in ("pigpiod", "python", "job-image"):  # the same for both flavours, as their keys say
        made = sd_image.CACHE / planned.step(name).output
        if made.exists() and not (cache / made.name).exists():
            (cache / made.name).symlink_to(made)
    image = build.run(planned, Workshop(planned).actions(), cache, print)
    built = json.loads((image / "built.json").read_text())
    raw = image / f"{planned.image_name}.img"
    assert built["raw_bytes"] == raw.stat().st_size == layout.image_mib() * layout.MIB
    print(f"{raw.name}: {raw.stat().st_size / 1e6:.0f} MB, compressed {built['packed_bytes'] / 1e6:.0f} MB")
    boot = f"{raw}@@{layout.BOOT.start_mib * layout.MIB}"
    listed = subprocess.check_output(["mdir", "-b", "-i", boot, "::"], text=True)
    names = {line.removeprefix("::/").rstrip("/") for line in listed.splitlines()}
    assert {"kernel8.img", "initramfs8", "start4.elf", "config.txt", "cmdline.txt", "bcm2711-rpi-4-b.dtb"} <= names
    line = subprocess.check_output(["mtype", "-i", boot, "::cmdline.txt"], text=True)
    assert "isolcpus=" in line
    assert "ttyS0" not in line
    assert "ttyAMA0" not in line
    root = tmp_path / "root.ext4"
    part = ["dd", f"if={raw}", f"of={root}", "bs=1M", f"skip={layout.ROOT_A.start_mib}", "conv=sparse", "status=none"]
    subprocess.run([*part, f"count={layout.ROOT_A.size_mib}"], check=True)
    assert subprocess.run(["e2fsck", "-f", "-n", root], capture_output=True).returncode == 0

    def shown(path: str) -> str:
        return subprocess.run(["debugfs", "-R", f"cat {path}", root], capture_output=True, text=True).stdout

    assert "pigpiod" in shown("/usr/share/raas/raas.yaml"), "owners get the real robot"
    assert "trusted=yes" not in shown("/etc/apt/sources.list"), "the stand-in isn't told to the appliance"
