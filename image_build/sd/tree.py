"""How do packages, our code and our files become the two trees of a card, root and boot?"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from image_build import services
from image_build.process import BuildError, run
from image_build.rootfs import COMPILE_ARGUMENTS, SOURCE_DATE_S
from image_build.sd import contents, files
from image_build.sd.device_tree import way_to_card
from image_build.sd.files import File
from image_build.sd.flavour import Flavour
from image_build.sd.kernel_modules import Kernel, lacking

CHECKOUT: Final = Path(__file__).resolve().parents[2]
CODE: Final = Path("usr/lib/raas/code")
SITE: Final = Path("usr/lib/raas/packages")
#: The building machine's sources are nobody's business, and a read-only root is not updated package by package.
_NO_SOURCES: Final = "# Empty on purpose: see docs/image.md, Updates.\n"
#: The card controllers of both boards.
CONTROLLERS: Final = ("brcm,bcm2711-emmc2", "brcm,bcm2835-sdhost")
BOARDS: Final = ("bcm2711-rpi-4-b.dtb", "bcm2837-rpi-3-b-plus.dtb")
_OURS: Final = (
    "appliance",
    "gym_raas",
    "image_build",
    "systemd",
    "requirements.txt",
    "requirements-build.txt",
    "pyproject.toml",
    "LICENSE",
)
_MADE: Final = ("appliance/webui/static/vendor",)


def source_files() -> tuple[Path, ...]:
    """The checkout's files that go into an image: what is under version control, and the front-end's libraries."""
    listed = subprocess.run(["git", "ls-files", "-z", *_OURS], cwd=CHECKOUT, capture_output=True, check=False)
    if listed.returncode != 0:
        raise BuildError(f"git doesn't tell which files belong to the checkout: {listed.stderr.decode().strip()}")
    names = [Path(name) for name in listed.stdout.decode().split("\0") if name]
    made = [path.relative_to(CHECKOUT) for folder in _MADE for path in (CHECKOUT / folder).rglob("*")]
    return tuple(sorted(name for name in {*names, *made} if (CHECKOUT / name).is_file()))


def compose(root: Path, boot: Path, flavour: Flavour, archives: Mapping[str, Path], job_image: Path) -> None:
    """Fill the two empty folders. `archives` are unpacked into the root in their order."""
    for archive in archives.values():
        run(["tar", "--extract", "--numeric-owner", "--exclude=./dev/*", "--directory", root, "--file", archive])
    install_code(root)
    services.install(root, enable=True)
    _create_users(root)
    # The root is read only: what programs would make on their first start is there.
    _link(root / "etc/resolv.conf", "/run/NetworkManager/resolv.conf")
    _link(root / "var/lib/dbus/machine-id", "/etc/machine-id")
    (root / "var/cache/private").mkdir(mode=0o700, parents=True, exist_ok=True)
    for unit in files.units():
        _write(root / services.UNITS / unit.name, File(unit.read_text()))
    for path, file in files.system_files(flavour).items():
        _write(root / path.lstrip("/"), file)
    _write(root / "etc/apt/sources.list", File(_NO_SOURCES))
    for _, path in contents.PERSISTENT:
        (root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
    (root / "data").mkdir(exist_ok=True)
    packed = root / "usr/share/raas/job_image"
    packed.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(job_image, packed / job_image.name)
    _switch_units(root)
    _move_boot(root, boot)
    for file_name, file in files.boot_files(flavour).items():
        _write(boot / file_name, file)


def install_code(root: Path) -> None:
    """Our code and the Python environment around it: /usr/lib/raas/bin/python finds code and packages."""
    for source in source_files():
        target = root / CODE / source
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(CHECKOUT / source, target)
    environment = root / "usr/lib/raas"
    version = _python_version(root)
    site = environment / f"lib/python{version}/site-packages"
    site.mkdir(parents=True, exist_ok=True)
    (site / "raas.pth").write_text(f"/{CODE}\n/{SITE}\n")
    _write(environment / "pyvenv.cfg", File("home = /usr/bin\ninclude-system-site-packages = false\n"))
    (environment / "bin").mkdir(exist_ok=True)
    for name in ("python", "python3"):
        (environment / "bin" / name).symlink_to(f"/usr/bin/python{version}")
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    told = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"  # importlib.metadata's
    folder = f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    _write(root / CODE / folder / "METADATA", File(told))
    command = "#!/usr/lib/raas/bin/python\nfrom appliance.cli import main\n\nmain()\n"
    _write(environment / "bin/raas", File(command, 0o755))
    _link(root / "usr/bin/raas", "/usr/lib/raas/bin/raas")
    _link(root / CODE / ".cache", "/var/cache/raas")


def compile_python(root: Path) -> None:
    """Compile all Python of the image, once and for all.

    A root that is read only keeps nothing of what a start compiles, and the one time of all files (disk.settle_times)
    makes Debian's own compiled files, which go by time, look old; ours carry a hash that isn't checked.
    """
    version = _python_version(root)
    own = f"{sys.version_info.major}.{sys.version_info.minor}" == version
    python: list[str | Path] = [sys.executable] if own else ["chroot", root, "/usr/bin/python3"]
    folders = [Path(f"usr/lib/python{version}"), Path("usr/lib/python3"), CODE, SITE]
    found = [folder if own else Path("/") / folder for folder in folders if (root / folder).exists()]
    run([*python, *COMPILE_ARGUMENTS, "-f", "-p", "/", *found], cwd=root)


def initrd_complaints(root: Path, boot: Path) -> tuple[str, ...]:
    """What the initrd lacks to find the card of each board, by this very kernel and its device trees."""
    said = []
    for folder in (root / "lib/modules").iterdir():
        kernel = Kernel.of((folder / "modules.alias").read_text(), (folder / "modules.builtin").read_text())
        for board in BOARDS:
            if not (boot / board).exists():
                said.append(f"{board} isn't on the boot partition.")
                continue
            way = way_to_card((boot / board).read_bytes(), CONTROLLERS)
            said += [f"{board}: the initrd lacks {name}." for name in lacking(kernel, way, contents.INITRD_MODULES)]
    return tuple(said)


def _create_users(root: Path) -> None:
    """The units' users, here and not at the first boot: a read-only root can't take them then."""
    time = {"SOURCE_DATE_EPOCH": str(SOURCE_DATE_S), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    run(["systemd-sysusers", f"--root={root}"], hint="`apt-get install systemd` first.", environment=time)
    for backup in ("passwd-", "group-", "shadow-", "gshadow-", ".pwd.lock"):
        (root / "etc" / backup).unlink(missing_ok=True)


def _switch_units(root: Path) -> None:
    system = root / "etc/systemd/system"
    for unit in contents.MASKED:
        _link(system / unit, "/dev/null")
    for unit in contents.DISABLED:
        for folder in system.glob("*.wants"):  # not globbing for the link, which leads nowhere outside the image
            (folder / unit).unlink(missing_ok=True)
    for unit in contents.ENABLED:
        _enable(root, unit)


def _enable(root: Path, unit: str) -> None:
    """Make the link that `systemctl enable` would make, from the unit's own [Install]."""
    places = [root / folder / unit for folder in (services.UNITS, Path("lib/systemd/system"))]
    found = next((place for place in places if place.exists()), None)
    if found is None:
        raise BuildError(f"{unit} isn't in the image; which package brings it? See image_build/sd/contents.py.")
    for line in found.read_text().splitlines():
        if line.startswith("WantedBy="):
            for target in line.removeprefix("WantedBy=").split():
                _link(root / f"etc/systemd/system/{target}.wants" / unit, f"/usr/lib/systemd/system/{unit}")


def _move_boot(root: Path, boot: Path) -> None:
    firmware = root / "boot/firmware"
    for entry in list(firmware.iterdir()) if firmware.exists() else []:
        shutil.move(entry, boot / entry.name)
    firmware.mkdir(parents=True, exist_ok=True)


def _python_version(root: Path) -> str:
    found = sorted((root / "usr/bin").glob("python3.*[0-9]"))
    if not found:
        raise BuildError("The image has no Python.")
    return found[-1].name.removeprefix("python")


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _write(path: Path, file: File) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(file.text)
    path.chmod(file.mode)
