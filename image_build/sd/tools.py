"""Is everything installed that building an image needs? Asked before the first step, not in the middle of the night."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Final

from image_build.process import BuildError

#: Program -> Debian's package.
PROGRAMS: Final = {
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "arch-test": "arch-test",
    "debugfs": "e2fsprogs",
    "dpkg-source": "dpkg-dev",
    "make": "make",
    "mcopy": "mtools",
    "mkfs.vfat": "dosfstools",
    "mmdebstrap": "mmdebstrap",
    "qemu-aarch64-static": "qemu-user-static",
    "sfdisk": "fdisk",
    "systemd-sysusers": "systemd",
    "update-binfmts": "binfmt-support",
    "zstd": "zstd",
}
_PATH: Final = f"{os.defpath}:/usr/sbin:/sbin"


def find(program: str) -> bool:
    """Whether a program is installed where root looks."""
    return shutil.which(program, path=_PATH) is not None


def check(is_root: bool, there: Callable[[str], bool] = find) -> None:
    """Raises BuildError with the one command that installs what is missing."""
    if missing := sorted({package for program, package in PROGRAMS.items() if not there(program)}):
        # The cross compiler's C library comes as a recommendation, which set-up leaves out elsewhere.
        libraries = ["libc6-dev-arm64-cross"] if "gcc-aarch64-linux-gnu" in missing else []
        raise BuildError(f"Building an image needs more: `apt-get install {' '.join([*missing, *libraries])}`.")
    if not is_root:
        raise BuildError("Building an image needs root; run `make image`, or use sudo.")
