"""What the image is to have, item by item, as far as its plan tells; the boot (test_boot.py) sees it in effect."""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from image_build import services
from image_build.sd import boot_line, contents, files, layout
from image_build.sd.applying import default_hostname
from image_build.sd.debian import DEBIAN
from image_build.sd.flavour import Flavour
from image_build.sd.raspberrypi import RASPBERRYPI

FLAVOURS = pytest.mark.parametrize("flavour", [RASPBERRYPI, DEBIAN], ids=lambda flavour: flavour.name)
FILES = {path: file.text for path, file in files.system_files(RASPBERRYPI).items()}


def settings(path: str, section: str) -> Mapping[str, str]:
    read = configparser.ConfigParser()
    read.read_string(FILES[path])
    return read[section]


def mounts(flavour: Flavour) -> dict[str, list[str]]:
    """Mount point -> source, type, options, dump, pass."""
    rows = [line.split() for line in files.fstab(flavour).splitlines()]
    return {row[1]: [row[0], *row[2:]] for row in rows}


def unit(name: str) -> str:
    return next(path for path in files.units() if path.name == name).read_text()


def test_its_name_on_the_network_is_like_no_other() -> None:
    assert "avahi-daemon.service" in contents.ENABLED
    names = {default_hostname(f"1000000{serial:09x}") for serial in range(50)}
    assert len(names) == 50
    assert all(re.fullmatch(r"raas-[0-9a-f]{4}", name) for name in names)
    assert settings("/etc/NetworkManager/conf.d/raas.conf", "main")["hostname-mode"] == "none", "nobody takes it back"


def test_ssh_is_off_until_there_is_a_key_and_takes_keys_only() -> None:
    assert {"ssh.service", "ssh.socket"} <= set(contents.DISABLED)
    assert "PasswordAuthentication no" in FILES["/etc/ssh/sshd_config.d/raas.conf"]


def test_the_clock_is_set() -> None:
    assert "systemd-timesyncd" in contents.PACKAGES
    assert "systemd-timesyncd.service" in contents.ENABLED


def test_memory_is_stretched_by_compressing_it() -> None:
    assert "systemd-zram-generator" in contents.PACKAGES
    assert settings("/etc/systemd/zram-generator.conf", "zram0")["zram-size"] == "ram / 2"


def test_the_journal_writes_nothing_to_the_card() -> None:
    assert settings("/etc/systemd/journald.conf.d/raas.conf", "Journal")["storage"] == "volatile"
    assert mounts(DEBIAN)["/var/log"][0] == "tmpfs"


@FLAVOURS
def test_a_machine_that_hangs_restarts(flavour: Flavour) -> None:
    seconds = settings("/etc/systemd/system.conf.d/raas.conf", "Manager")["runtimewatchdogsec"]
    assert 0 < int(seconds.removesuffix("s")) <= 15, "a Pi's watchdog can't count further, and then isn't used at all"
    assert "bcm2835_wdt" in contents.INITRD_MODULES
    assert "panic=10" in boot_line.cmdline(flavour).split()


@FLAVOURS
def test_the_root_is_read_only_and_everything_is_checked_before_it_is_mounted(flavour: Flavour) -> None:
    table = mounts(flavour)
    assert "ro" in table["/"][2].split(",")
    assert "ro" in table["/boot/firmware"][2].split(",")
    assert [table[path][4] for path in ("/", "/boot/firmware")] == ["1", "2"]
    assert "fsck.repair=yes" in boot_line.cmdline(flavour).split()


def test_what_must_last_is_on_the_data_partition() -> None:
    table = mounts(DEBIAN)
    for path in (
        "/var/lib/raas",
        "/var/lib/docker",
        "/etc/raas",
        "/etc/NetworkManager/system-connections",
        "/etc/ssh/keys",
    ):
        assert table[path][0].startswith("/data/")
        assert "nofail" in table[path][2], "without a data partition it comes up, too"


def test_docker_writes_nowhere_but_to_the_data_partition() -> None:
    settings = json.loads(FILES["/etc/docker/daemon.json"])
    assert settings["deprecated-key-path"].startswith("/var/lib/docker/")
    assert "apparmor" in contents.PACKAGES, "where the kernel has it, no container starts without its parser"


@FLAVOURS
def test_the_encoders_pins_belong_to_nobody_else(flavour: Flavour) -> None:
    assert {"serial-getty@ttyAMA0.service", "serial-getty@ttyS0.service", "hciuart.service"} <= set(contents.MASKED)
    assert not re.search(r"console=tty(S|AMA)|console=serial", boot_line.cmdline(flavour))
    assert boot_line.config_txt(flavour).splitlines().count("enable_uart=0") == 1


def test_the_command_line_outlasts_a_new_kernel() -> None:
    """Debian's hook writes cmdline.txt anew from these; in the other flavour no package touches it."""
    kept = files.system_files(DEBIAN)
    assert set(boot_line.our_words(DEBIAN)) == set(kept["/etc/default/raspi-extra-cmdline"].text.split())
    assert boot_line.root_word(DEBIAN) in kept["/etc/default/raspi-firmware"].text
    assert "cmdline.txt" in files.boot_files(RASPBERRYPI)


def test_there_is_room_for_a_second_system() -> None:
    assert layout.ROOT_B.size_mib == layout.ROOT_A.size_mib
    assert boot_line.root_word(DEBIAN, layout.ROOT_B) != boot_line.root_word(DEBIAN)


def test_the_page_does_not_wait_for_the_job_image() -> None:
    """Loading it takes minutes; meanwhile jobs wait, and the page says why."""
    ordered = re.findall(r"^Before=(.*)$", unit("raas-job-image.service"), re.MULTILINE)
    assert not any("raas" in line for line in ordered)
    assert "journal+console" in unit("raas-job-image.service"), "its progress is on the screen"


def test_all_that_the_first_boot_decides_is_there_before_it_is_used() -> None:
    before = " ".join(re.findall(r"^Before=(.*)$", unit("raas-first-boot.service"), re.MULTILINE)).split()
    daemons = {
        Path(target).name for target in map(str, services.targets().values()) if target.endswith("webui.service")
    }
    assert {
        "NetworkManager.service",
        "avahi-daemon.service",
        "raas-realtime.service",
        "raas-runner.service",
        *daemons,
    } <= set(before)


def test_nothing_on_the_card_is_checked_while_it_is_divided() -> None:
    assert "x-systemd.after=raas-storage.service" in mounts(DEBIAN)["/boot/firmware"][2].split(",")
    assert "After=raas-storage.service" in FILES["/etc/systemd/system/systemd-fsck@.service.d/raas.conf"]


def test_a_damaged_card_keeps_the_first_boot_from_nothing() -> None:
    assert not re.search(r"^Requires", unit("raas-first-boot.service"), re.MULTILINE)
