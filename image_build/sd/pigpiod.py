"""How does pigpiod get into the image? Compiled from Debian's source, as Debian itself ships only its clients."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from image_build.process import BuildError, run
from image_build.sd.plan import ARCHITECTURE

_TOOLS: Final = "aarch64-linux-gnu-"
_TARGETS: Final = ("libpigpio.so", "pigpiod")
_HINT: Final = "Install `gcc-aarch64-linux-gnu libc6-dev-arm64-cross make dpkg-dev` with apt-get."


def compile_to(tar: Path, source_list: str) -> None:
    """Write an archive with the daemon and its library in their places under /usr."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        source = _fetched(work, source_list)
        run(["make", "-C", source, f"CROSS_PREFIX={_TOOLS}", *_TARGETS], hint=_HINT)
        root = work / "root"
        for built, place in (("pigpiod", "usr/bin"), ("libpigpio.so.1", "usr/lib/aarch64-linux-gnu")):
            (root / place).mkdir(parents=True, exist_ok=True)
            run([f"{_TOOLS}strip", "-o", root / place / built, source / built], hint=_HINT)
        run(
            [
                "tar",
                "--create",
                "--sort=name",
                "--numeric-owner",
                "--owner=0",
                "--group=0",
                "--file",
                tar,
                "-C",
                root,
                ".",
            ]
        )


def _fetched(work: Path, source_list: str) -> Path:
    """Debian's source package, unpacked; fetched with a configuration of its own, so that the machine's stays as it is."""
    lines = [line.replace("deb ", "deb-src ", 1) for line in source_list.splitlines()]
    (work / "sources.list").write_text("\n".join(lines) + "\n")
    (work / "status").touch()
    (work / "lists/partial").mkdir(parents=True)
    options = {
        "Dir::Etc::sourcelist": work / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": work / "lists",
        "Dir::State::status": work / "status",
        "Dir::Cache::srcpkgcache": "",
        "Dir::Cache::pkgcache": "",
        "APT::Architecture": ARCHITECTURE,
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", "--quiet", *(part for key, value in options.items() for part in ("-o", f"{key}={value}"))]
    run([*apt, "update"], hint="Debian's sources must be reachable with apt-get.")
    run([*apt, "source", "pigpio"], cwd=work, hint=_HINT)
    found = [path for path in work.glob("pigpio-*") if path.is_dir()]
    if len(found) != 1:
        raise BuildError("Debian's source of pigpio wasn't unpacked into one folder.")
    return found[0]
