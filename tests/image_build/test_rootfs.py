"""A job's root folder has what maintainer scripts would have made, and nothing of the machine that built it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from image_build import rootfs
from image_build.process import BuildError, run
from image_build.recipe import RECIPES


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An unpacked root as Debian's packages leave it."""
    root = tmp_path / "root"
    for name in ("etc/apt/sources.list.d/mirror.list", "usr/share/doc/x/copyright", "usr/share/doc/x/changelog.gz"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("text")
    for name in ("bin/busybox", "bin/tar", "usr/bin/python3", "usr/lib64/ld.so", "etc/resolv.conf", "etc/hostname"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("text")
    rootfs.tidy(root, RECIPES["standard"])
    return root


def test_nothing_tells_about_the_machine_that_built_it(root: Path) -> None:
    assert not any((root / "etc" / name).exists() for name in ("apt", "resolv.conf", "hostname"))


def test_licences_stay(root: Path) -> None:
    assert [path.name for path in (root / "usr/share/doc/x").iterdir()] == ["copyright"]


def test_the_job_has_an_account_without_rights(root: Path) -> None:
    assert "job:x:61000:61000:job:/tmp:/bin/sh" in (root / "etc/passwd").read_text()
    assert (root / "tmp").stat().st_mode & 0o7777 == 0o1777


def test_a_shell_is_there_and_debians_own_programs_win(root: Path) -> None:
    assert os.readlink(root / "bin/sh") == "busybox"
    assert (root / "bin/tar").read_text() == "text"
    assert os.readlink(root / "usr/bin/env") == "/bin/busybox"


def test_a_merged_folder_gets_its_link(root: Path) -> None:
    assert os.readlink(root / "lib64") == "usr/lib64"


def test_the_same_content_gives_the_same_archive(root: Path, tmp_path: Path) -> None:
    rootfs.pack(root, tmp_path / "one.tar")
    for path in root.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)
    rootfs.pack(root, tmp_path / "two.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_a_failing_program_is_quoted_with_its_last_words() -> None:
    with pytest.raises(BuildError, match=r"`sh -c 'echo why; exit 3'` ended with code 3:\nwhy\nDo this\."):
        run(["sh", "-c", "echo why; exit 3"], hint="Do this.")
    with pytest.raises(BuildError, match="`no-such-program` isn't installed"):
        run(["no-such-program"])
