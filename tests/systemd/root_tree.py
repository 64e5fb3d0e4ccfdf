"""A small Debian with systemd and Docker Engine, built once from this machine's package sources and kept in .cache."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from pathlib import Path

from image_build import apt_sources
from image_build.process import run

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "nspawn"
PACKAGES = (
    "ca-certificates", "dbus", "docker.io", "git", "iproute2", "iptables", "polkitd", "procps", "python3",
    "systemd-sysv",
)  # fmt: skip
# Nothing of these belongs to what is tested.
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "docker.service", "docker.socket", "containerd.service")
# The environment's packages and this checkout are mounted at these two; see `machine`.
PATHS = "/usr/lib/raas/code\n/usr/lib/raas/packages\n"
RECIPE = "2"  # counted up when the commands below change


def ready() -> Path:
    """The root folder; the first call on a machine takes minutes."""
    suite = apt_sources.codename(Path("/etc/os-release").read_text())
    sources = apt_sources.for_suite(suite, suite, apt_sources.read())
    key = hashlib.sha256("\n".join([RECIPE, *PACKAGES, *MASKED, PATHS, sources]).encode()).hexdigest()[:16]
    root = CACHE / key
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not root.exists():
            for old in CACHE.glob("?" * 16 + "*"):
                shutil.rmtree(old)
            _build(root.with_suffix(".partial"), suite, sources)
            root.with_suffix(".partial").rename(root)
    return root


def _build(root: Path, suite: str, sources: str) -> None:
    listed = root.with_suffix(".list")
    listed.write_text(sources)
    bootstrap = ["mmdebstrap", "--quiet", "--mode=root", "--variant=apt", "--format=directory"]
    # The tests change neither packages nor documents.
    thin = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")]
    run([*bootstrap, *thin, f"--include={','.join(PACKAGES)}", suite, root, listed],
        hint="Debian's packages must be reachable with apt-get, and this needs root.")  # fmt: skip
    listed.unlink()
    run(["chroot", root, "python3", "-m", "venv", "--without-pip", "/usr/lib/raas"])
    site = next(root.glob("usr/lib/raas/lib/python3.*/site-packages"))
    (site / "raas.pth").write_text(PATHS)
    for name in ("code", "packages"):
        (root / "usr/lib/raas" / name).mkdir()
    for unit in MASKED:
        for link in root.glob(f"etc/systemd/system/*.wants/{unit}"):
            link.unlink()
    (root / "etc/machine-id").write_text("")
