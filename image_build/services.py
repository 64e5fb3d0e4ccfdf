"""Which file of `systemd/` goes where on an appliance? Used by the image, by the tests, and by hand.

`python -m image_build.services ROOT` installs into a tree; `/` is the running system. Nothing is started.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

SOURCE: Final = Path(__file__).resolve().parents[1] / "systemd"
UNITS: Final = Path("usr/lib/systemd/system")
OTHERS: Final = {
    "sysusers.conf": Path("usr/lib/sysusers.d/raas.conf"),
    "tmpfiles.conf": Path("usr/lib/tmpfiles.d/raas.conf"),
    "polkit.rules": Path("usr/share/polkit-1/rules.d/50-raas.rules"),
    "udev.rules": Path("usr/lib/udev/rules.d/70-raas.rules"),
    "cores-generator.sh": Path("usr/lib/systemd/system-generators/raas-cores"),
}
_WANTED_BY: Final = Path("etc/systemd/system/multi-user.target.wants/raas.target")


def targets() -> dict[Path, Path]:
    """Each file of ours and where it goes, relative to the root."""
    units = {path: UNITS / path.relative_to(SOURCE / "system") for path in SOURCE.glob("system/**/*") if path.is_file()}
    return units | {SOURCE / name: target for name, target in OTHERS.items()}


def install(root: Path, *, enable: bool) -> None:
    """Copy all files; `enable`: the appliance starts with the machine."""
    for source, target in targets().items():
        (root / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, root / target)
        (root / target).chmod(0o755 if source.suffix == ".sh" else 0o644)
    if enable:
        link = root / _WANTED_BY
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(f"/{UNITS}/raas.target")


def main(arguments: list[str]) -> int:
    """Entry point."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m image_build.services ROOT\n")
        return 2
    install(Path(arguments[0]), enable=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
