"""Packages, code and files become a card: from a small stand-in for the configured packages to the finished image."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from image_build.process import BuildError
from image_build.sd import build, contents, files, layout, tree
from image_build.sd.debian import DEBIAN
from image_build.sd.flavour import Flavour
from image_build.sd.plan import Inputs, Plan, plan
from image_build.sd.raspberrypi import RASPBERRYPI
from image_build.sd.workshop import Workshop
from tests.image_build.sd.device_tree_writer import flattened, handle

BOARDS = json.loads((Path(__file__).parent / "boards.json").read_text())
INSTALL = "[Install]\nWantedBy=multi-user.target\n"
PACKAGED = ("avahi-daemon.service", "NetworkManager.service", "systemd-timesyncd.service")
PI_4 = {"emmc2": {"compatible": b"brcm,bcm2711-emmc2\0", "vqmmc-supply": handle(1)},
        "io": {"compatible": b"regulator-gpio\0", "phandle": handle(1)}}  # fmt: skip
PI_3 = {"sdhost": {"compatible": b"brcm,bcm2835-sdhost\0"}}


def configured(root: Path) -> Path:
    """What mmdebstrap leaves, cut to what the next steps look at."""
    modules = root / "lib/modules/6.1.0-rt-arm64"
    for folder in (
        modules,
        root / "boot/firmware",
        root / "usr/bin",
        root / "usr/lib/systemd/system",
        root / "etc/systemd/system",
    ):
        folder.mkdir(parents=True)
    (modules / "modules.alias").write_text("\n".join(BOARDS["modules_alias"]) + "\n")
    (modules / "modules.builtin").write_text("\n".join(BOARDS["modules_builtin"]) + "\n")
    (root / "boot/firmware/bcm2711-rpi-4-b.dtb").write_bytes(flattened(PI_4))
    (root / "boot/firmware/bcm2837-rpi-3-b-plus.dtb").write_bytes(flattened(PI_3))
    (root / "boot/firmware/kernel8.img").write_text("kernel")
    (root / "usr/bin/python3.11").touch()
    for unit in PACKAGED:
        (root / "usr/lib/systemd/system" / unit).write_text(INSTALL)
    wants = root / "etc/systemd/system/multi-user.target.wants"
    wants.mkdir()
    (wants / "ssh.service").symlink_to("/lib/systemd/system/ssh.service")
    return root


def composed(at: Path, flavour: Flavour) -> tuple[Path, Path]:
    packages, root, boot = configured(at / "configured"), at / "root", at / "boot"
    root.mkdir()
    boot.mkdir()
    archive = _packed(packages, at / "packages.tar")
    (at / "base-1.tar.zst").write_text("job image")
    tree.compose(root, boot, flavour, {"packages": archive}, at / "base-1.tar.zst")
    return root, boot


def _packed(folder: Path, archive: Path) -> Path:
    with tarfile.open(archive, "w") as tar:
        tar.add(folder, ".")
    return archive


@pytest.mark.parametrize("flavour", [RASPBERRYPI, DEBIAN], ids=lambda flavour: flavour.name)
def test_the_trees_hold_code_units_and_files(tmp_path: Path, flavour: Flavour) -> None:
    root, boot = composed(tmp_path, flavour)
    for path in files.system_files(flavour):
        assert (root / path.lstrip("/")).is_file(), path
    wants = root / "etc/systemd/system"
    for unit in (*contents.ENABLED, "raas.target"):
        assert any((folder / unit).is_symlink() for folder in wants.glob("*.wants")), unit
    assert not (wants / "multi-user.target.wants/ssh.service").is_symlink()
    assert (wants / "apt-daily.timer").readlink() == Path("/dev/null")
    assert (root / tree.CODE / "appliance/config.py").is_file()
    assert not list((root / tree.CODE).rglob("__pycache__"))
    (own,) = importlib.metadata.distributions(name="raas-appliance", path=[str(root / tree.CODE)])
    assert own.version == importlib.metadata.version("raas-appliance"), "reports name it"
    assert (root / "usr/lib/raas/bin/raas").stat().st_mode & 0o111
    assert (root / "data").is_dir()
    assert "deb" not in (root / "etc/apt/sources.list").read_text().split()
    assert (root / "etc/resolv.conf").readlink() == Path("/run/NetworkManager/resolv.conf")
    assert {"kernel8.img", "raas-example.yaml", "READ-ME.txt"} <= {path.name for path in boot.iterdir()}
    assert (boot / "cmdline.txt").exists() == (flavour is RASPBERRYPI)
    assert list((root / "boot/firmware").iterdir()) == []
    assert tree.initrd_complaints(root, boot) == ()


def test_the_units_users_are_there_and_nobody_can_log_in_as_them(tmp_path: Path) -> None:
    etc = composed(tmp_path, DEBIAN)[0] / "etc"
    users = {line.split(":")[0]: line.split(":") for line in (etc / "passwd").read_text().splitlines()}
    assert {"raas-twin", "raas-realtime", "raas-runner", "raas-webui", "raas-federation"} <= set(users)
    assert users["raas-job"][2] == "61000"
    assert users["raas-runner"][6] == "/usr/sbin/nologin"
    docker = next(line for line in (etc / "group").read_text().splitlines() if line.startswith("docker:"))
    assert docker.split(":")[3] == "raas-runner"
    assert "raas-runner:!" in (etc / "shadow").read_text()


def test_no_file_names_the_machine_that_built_it(tmp_path: Path) -> None:
    root, boot = composed(tmp_path, DEBIAN)
    here = str(tree.CHECKOUT).encode()
    for path in (*root.rglob("*"), *boot.rglob("*")):
        assert not path.is_file() or path.is_symlink() or here + b"/" not in path.read_bytes(), path


def test_a_kernel_whose_card_reader_is_not_in_the_initrd_stops_the_build(tmp_path: Path) -> None:
    root, boot = composed(tmp_path, DEBIAN)
    alias = root / "lib/modules/6.1.0-rt-arm64/modules.alias"
    alias.write_text(alias.read_text().replace("sdhci_iproc", "sdhci_of_the_future"))
    assert tree.initrd_complaints(root, boot) == ("bcm2711-rpi-4-b.dtb: the initrd lacks sdhci_of_the_future.",)
    (boot / "bcm2837-rpi-3-b-plus.dtb").unlink()
    assert "isn't on the boot partition" in tree.initrd_complaints(root, boot)[1]


def test_a_unit_that_no_package_brought_stops_the_build(tmp_path: Path) -> None:
    packages = configured(tmp_path / "configured")
    (packages / "usr/lib/systemd/system/avahi-daemon.service").unlink()
    (tmp_path / "root").mkdir()
    archive = _packed(packages, tmp_path / "packages.tar")
    (tmp_path / "base.tar.zst").touch()
    with pytest.raises(BuildError, match=r"avahi-daemon\.service isn't in the image"):
        tree.compose(tmp_path / "root", tmp_path, DEBIAN, {"packages": archive}, tmp_path / "base.tar.zst")


@pytest.mark.parametrize("unit", files.units(), ids=lambda unit: unit.name)
def test_a_unit_of_the_image_starts_a_module_that_there_is(unit: Path) -> None:
    modules = [line.split(" -m ")[1].split()[0] for line in unit.read_text().splitlines() if "bin/python -m " in line]
    assert modules
    for module in modules:
        assert (tree.CHECKOUT / f"{module.replace('.', '/')}.py").is_file()
    assert ("[Install]" in unit.read_text()) == (unit.name in contents.ENABLED)


def test_all_python_is_compiled_whatever_its_files_times(tmp_path: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / f"usr/bin/python{version}").touch()
    module = tmp_path / tree.CODE / "appliance/thing.py"
    module.parent.mkdir(parents=True)
    module.write_text("THING = 1\n")
    tree.compile_python(tmp_path)
    (compiled,) = module.parent.glob("__pycache__/*.pyc")
    content = compiled.read_bytes()
    assert content[4:8] == b"\1\0\0\0", "a hash that isn't checked; see PEP 552"
    assert f"/{tree.CODE}/appliance/thing.py".encode() in content
    assert str(tmp_path).encode() not in content


def prepared(cache: Path, planned: Plan, at: Path) -> None:
    """A cache in which everything is there but the tree and the image."""
    cache.mkdir()
    _packed(configured(at / "configured"), cache / planned.step("packages").output)
    for name in ("pigpiod", "python"):
        (at / name / "usr").mkdir(parents=True)
        _packed(at / name, cache / planned.step(name).output)
    (cache / planned.step("job-image").output).mkdir()
    (cache / planned.step("job-image").output / "base-1.tar.zst").write_text("job image")


@pytest.mark.slow
@pytest.mark.parametrize("flavour", [RASPBERRYPI, DEBIAN], ids=lambda flavour: flavour.name)
def test_a_whole_card_is_written_from_prepared_steps(tmp_path: Path, flavour: Flavour) -> None:
    planned = plan(flavour, Inputs(lock=b"", sources=b"", services=b"", job_image=b"", code=b""))
    prepared(tmp_path / "cache", planned, tmp_path)
    folder = build.run(planned, Workshop(planned).actions(), tmp_path / "cache", print)
    built = json.loads((folder / "built.json").read_text())
    card = folder / f"{planned.image_name}.img"
    assert card.stat().st_size == built["raw_bytes"] == layout.image_mib() * layout.MIB
    dumped = json.loads(subprocess.check_output(["sfdisk", "--json", card]))["partitiontable"]
    assert dumped["id"] == f"0x{flavour.disk_id:08x}"
    offset = layout.BOOT.start_mib * layout.MIB
    status = subprocess.check_output(["mtype", "-i", f"{card}@@{offset}", "::READ-ME.txt"], text=True)
    assert status.startswith("Reality as a Service")
    subprocess.run(["zstd", "--test", "--quiet", folder / built["file"]], check=True)
