"""File systems and images have the same bytes each time, hold what they should, and are refused where it doesn't fit."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from image_build.process import BuildError
from image_build.sd import disk, layout

pytestmark = pytest.mark.skipif(
    any(
        shutil.which(name, path=f"{os.defpath}:/usr/sbin") is None
        for name in ("sfdisk", "mkfs.vfat", "mcopy", "debugfs")
    ),
    reason="needs fdisk, dosfstools, mtools and e2fsprogs",
)

BOOT = replace(layout.BOOT, size_mib=40)
ROOT = replace(layout.ROOT_A, start_mib=44, size_mib=24)
TABLE = (
    layout.table(0x72616173)
    .replace("size=1048576", "size=81920")
    .replace("start=1056768, size=5242880", "start=90112, size=49152")
)


def fill(folder: Path, names: list[str]) -> Path:
    """A tree with files made in the given order, a link, a folder, odd names and a large file."""
    (folder / "etc/deep").mkdir(parents=True)
    for name in names:
        (folder / "etc" / name).write_text(f"content of {name}")
    (folder / "etc/run").write_text("#!/bin/sh\n")
    (folder / "etc/run").chmod(0o755)
    (folder / "large").write_bytes(bytes(range(256)) * 4096)
    return folder


NAMES = ["one", "two", "a name with spaces", 'quo"ted', "ünïcode"]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def built(at: Path, names: list[str]) -> Path:
    root = fill(at / "root", names)
    (root / "etc/link").symlink_to("one")
    disk.make_fat(fill(at / "boot", ["kernel8.img", "config.txt"]), at / "boot.fat", BOOT, 0x72616173)
    disk.make_ext4(root, at / "root.ext4", ROOT, "test")
    disk.assemble(TABLE, [(BOOT, at / "boot.fat"), (ROOT, at / "root.ext4")], at / "card.img")
    return at


def test_two_builds_give_the_same_bytes(tmp_path: Path) -> None:
    first = built(tmp_path / "first", NAMES)
    began = time.time()
    while int(time.time()) == int(began):  # the second build falls into another second, or times would agree by luck
        time.sleep(0.05)
    second = built(tmp_path / "second", NAMES[::-1])
    for name in ("boot.fat", "root.ext4", "card.img"):
        assert digest(first / name) == digest(second / name), name


def test_the_card_holds_what_was_put_in(tmp_path: Path) -> None:
    at = built(tmp_path, NAMES)
    listed = subprocess.check_output(["sfdisk", "--dump", at / "card.img"], text=True)
    assert "label-id: 0x72616173" in listed
    assert "start=        8192, size=       81920, type=c, bootable" in listed
    card = (at / "card.img").read_bytes()
    assert card[BOOT.start_mib * layout.MIB :][: 40 * layout.MIB] == (at / "boot.fat").read_bytes()
    assert card[ROOT.start_mib * layout.MIB :] == (at / "root.ext4").read_bytes()
    text = subprocess.check_output(["debugfs", "-R", 'cat "/etc/a name with spaces"', at / "root.ext4"], text=True)
    assert text == "content of a name with spaces"
    stat = subprocess.check_output(["debugfs", "-R", "stat /etc/run", at / "root.ext4"], text=True)
    assert "Mode:  0755" in stat
    fat = subprocess.check_output(["mtype", "-i", at / "boot.fat", "::etc/config.txt"], text=True)
    assert fat == "content of config.txt"


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    folder = fill(tmp_path / "root", NAMES)
    with pytest.raises(BuildError, match="mke2fs"):
        disk.make_ext4(folder, tmp_path / "root.ext4", replace(ROOT, size_mib=1), "test")
    (folder / "huge").write_bytes(bytes(45 * layout.MIB))
    with pytest.raises(BuildError, match="mcopy"):
        disk.make_fat(folder, tmp_path / "boot.fat", BOOT, 1)


def test_an_image_is_compressed_to_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "card.img").write_bytes(bytes(range(256)) * 4096)
    first = disk.compress(tmp_path / "card.img").read_bytes()
    assert disk.compress(tmp_path / "card.img").read_bytes() == first
    assert len(first) < 4096
