"""How does the image get its packages? mmdebstrap, with maintainer scripts run under emulation, from the machine's sources."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from image_build import apt_sources
from image_build.process import BuildError, run
from image_build.rootfs import SOURCE_DATE_S
from image_build.sd import contents
from image_build.sd.files import File
from image_build.sd.flavour import Archive, Flavour
from image_build.sd.plan import ARCHITECTURE

_BINFMT: Final = Path("/proc/sys/fs/binfmt_misc")
_HINT: Final = "Packages for arm64 must be reachable with apt-get, and this needs root and qemu-user-static."
#: The initrd is made three times by triggers, each a minute under emulation; this makes it once, at the end.
_HOLD_INITRD: Final = (
    'chroot "$1" dpkg-divert --quiet --local --rename --add /usr/sbin/update-initramfs'
    ' && ln -s /bin/true "$1/usr/sbin/update-initramfs"'
)
_MAKE_INITRD: Final = (
    'rm "$1/usr/sbin/update-initramfs"'
    ' && chroot "$1" dpkg-divert --quiet --local --rename --remove /usr/sbin/update-initramfs'
    ' && mkdir -p "$1/boot/firmware" && chroot "$1" update-initramfs -c -k all'
)
_TIDY: Final = (
    'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/* "$1"/var/log/* "$1"/etc/ssh/ssh_host_* "$1"/etc/resolv.conf'
)


def sources(flavour: Flavour, machine_suite: str, files: Mapping[Path, str]) -> str:
    """Package sources for the build: the machine's own of Debian, and the flavour's archives."""
    debian = apt_sources.for_suite(flavour.suite, machine_suite, dict(files))
    components = " ".join(flavour.debian_components)
    lines = [" ".join([*line.split(" ")[: _components_at(line)], components]) for line in debian.splitlines()]
    return "\n".join([*dict.fromkeys(lines), *map(_line, flavour.archives)]) + "\n"


def bootstrap(
    flavour: Flavour, packages: tuple[str, ...], early: Mapping[str, File], source_list: str, tar: Path
) -> None:
    """Write the archive of a configured system; `early` files are there before any package is configured."""
    ready_for_emulation()
    with tempfile.TemporaryDirectory() as name:
        for path, file in early.items():
            target = Path(name) / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(file.text)
        run(
            [
                *_command(packages),
                *("--dpkgopt=force-confold", f'--setup-hook=cp -r {name}/. "$1"'),
                *(f"--dpkgopt=path-exclude={path}" for path in contents.EXCLUDED),
                *(f"--dpkgopt=path-include={path}" for path in contents.INCLUDED),
                *(f"--essential-hook={_HOLD_INITRD}", f"--customize-hook={_MAKE_INITRD}", f"--customize-hook={_TIDY}"),
                *("--format=tar", flavour.suite, str(tar), "-"),
            ],
            hint=_HINT,
            environment={
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "SOURCE_DATE_EPOCH": str(SOURCE_DATE_S),
                "LC_ALL": "C.UTF-8",
            },
            given=source_list,
        )


def simulate(flavour: Flavour, packages: tuple[str, ...], source_list: str) -> str:
    """Ask apt whether all packages are there and go together, without fetching any. Raises BuildError with its words."""
    arguments = [*_command(packages), "--simulate", "--skip=check/qemu", "--format=null", flavour.suite, "-", "-"]
    return run(arguments, hint=_HINT, given=source_list)


def ready_for_emulation() -> None:
    """Let this machine's kernel run programs for arm64. Raises BuildError with what to do."""
    if not (_BINFMT / "status").exists():
        run(["mount", "-t", "binfmt_misc", "none", _BINFMT], hint="This needs root, and a kernel with binfmt_misc.")
    if not (_BINFMT / "qemu-aarch64").exists():
        run(
            ["update-binfmts", "--enable", "qemu-aarch64"],
            hint="`apt-get install qemu-user-static binfmt-support` first.",
        )
    if not (_BINFMT / "qemu-aarch64").exists():
        raise BuildError("This kernel doesn't run arm64 programs; install qemu-user-static and binfmt-support.")


def _command(packages: tuple[str, ...]) -> list[str]:
    return [
        *("mmdebstrap", "--quiet", "--mode=root", "--variant=apt", f"--architectures={ARCHITECTURE}"),
        f"--include={','.join(packages)}",
    ]


def _components_at(line: str) -> int:
    """Where the components begin in `deb [options] uri suite components`."""
    return 4 if line.startswith("deb [") else 3


def _line(archive: Archive) -> str:
    signed = f"signed-by={archive.keyring}" if archive.keyring else "trusted=yes"
    return f"deb [{signed}] {archive.uri} {archive.suite} {' '.join(archive.components)}"
