"""How does a folder of unpacked Debian packages become the root of a job's container?

Unpacking runs no maintainer scripts, so what those would have made is written here: accounts, name resolution, links.
Everything that tells about the machine that built it is taken out.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from image_build import apt_sources
from image_build.process import run
from image_build.recipe import Recipe, Target

# One time stamp for all files (2025-01-01), so that the same content gives the same archive.
SOURCE_DATE_S: Final = 1_735_689_600

ROOT_HINT: Final = "Building a job image needs root; run it with sudo."

# Left over from the build, or of no use to a program without a terminal, a network and a package manager.
SURPLUS: Final = (
    "dev",
    "etc/apt",
    "etc/cron.daily",
    "etc/dpkg",
    "etc/fstab",
    "etc/hostname",
    "etc/logrotate.d",
    "etc/resolv.conf",
    "usr/share/applications",
    "usr/share/bug",
    "usr/share/gdb",
    "usr/share/info",
    "usr/share/initramfs-tools",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/pixmaps",
    "var/cache",
    "var/lib/apt",
    "var/lib/dpkg",
    "var/log",
)
# Mount points; the cell binds the repository and the robot's socket here.
FOLDERS: Final = ("dev", "job", "proc", "run/raas-job", "sys", "tmp", "usr/share/raas", "var/log")
MERGED: Final = ("bin", "lib", "lib64", "sbin")


def extract_debs(recipe: Recipe, target: Target, tar: Path) -> None:
    """Write an archive of the recipe's Debian packages, from the sources that this machine is configured with."""
    machine_suite = apt_sources.codename(Path("/etc/os-release").read_text())
    sources = tar.with_suffix(".list")
    sources.write_text(apt_sources.for_suite(target.suite, machine_suite, apt_sources.read()))
    run(
        [
            *("mmdebstrap", "--quiet", "--mode=root", "--variant=extract", "--format=tar"),
            *(f"--architectures={target.architecture}", f"--include={','.join(recipe.debs)}"),
            *(target.suite, tar, sources),
        ],
        hint=f"Debian's packages must be reachable with apt-get. {ROOT_HINT}",
    )
    sources.unlink()


def unpack(tar: Path, root: Path) -> None:
    """Unpack an archive of `extract_debs` into the empty folder `root`; device nodes stay behind."""
    run(["tar", "--extract", "--numeric-owner", "--exclude=./dev/*", "--directory", root, "--file", tar])


def tidy(root: Path, recipe: Recipe) -> None:
    """Remove what a job doesn't need, and write what maintainer scripts would have written."""
    for surplus in SURPLUS:
        _remove(root / surplus)
    for page in (root / "usr/share/doc").glob("*/*"):
        if page.name != "copyright":
            _remove(page)
    for name in MERGED:
        if not (root / name).exists() and (root / "usr" / name).is_dir():
            (root / name).symlink_to(f"usr/{name}")
    for name in FOLDERS:
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    _write_accounts(root / "etc", recipe.uid)
    _link_applets(root / "bin", recipe.applets)
    if not (root / "usr/bin/env").exists():
        (root / "usr/bin/env").symlink_to("/bin/busybox")  # first lines such as `#!/usr/bin/env python3`


def compile_python(root: Path, folders: tuple[str, ...]) -> None:
    """Compile `folders` (absolute inside `root`) with the Python in `root`.

    A job's root is read-only: what isn't compiled here is compiled again by every job. The files never change, so the
    compiled ones carry a hash that is not checked, and don't depend on time stamps.
    """
    run(
        ["chroot", root, "/usr/bin/python3", *COMPILE_ARGUMENTS, *folders],
        hint=f"An image for another architecture needs qemu-user-static. {ROOT_HINT}",
    )


# lib2to3's test data, some templates and code for a newer Python (torch names it so) aren't valid Python here.
COMPILE_ARGUMENTS: Final = (
    "-m",
    "compileall",
    "-q",
    "--invalidation-mode",
    "unchecked-hash",
    "-x",
    r"/tests?/|lib2to3|/py31\d_",
)


def pack(root: Path, tar: Path) -> None:
    """Write `root` as an archive with sorted names and one time stamp; complete or not there at all."""
    partial = tar.with_suffix(".partial")
    run(
        [
            *(
                "tar",
                "--create",
                "--sort=name",
                f"--mtime=@{SOURCE_DATE_S}",
                "--numeric-owner",
                "--format=gnu",
            ),
            *("--directory", root, "--file", partial, "."),
        ]
    )
    partial.rename(tar)


def _write_accounts(etc: Path, uid: int) -> None:
    """Root, the job and nobody; no passwords, no log-in shells beyond sh."""
    (etc / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/sh\n"
        f"job:x:{uid}:{uid}:job:/tmp:/bin/sh\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"
    )
    (etc / "group").write_text(f"root:x:0:\njob:x:{uid}:\nnogroup:x:65534:\n")
    (etc / "nsswitch.conf").write_text("passwd: files\ngroup: files\nhosts: files\n")


def _link_applets(folder: Path, applets: tuple[str, ...]) -> None:
    """Links to busybox for the programs that no package brought."""
    for applet in applets:
        if not (folder / applet).exists():
            (folder / applet).symlink_to("busybox")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
