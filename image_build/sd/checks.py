"""Would this image boot, and is it safe to? What can be said of a plan without building it.

Each check gives sentences about what is wrong; none means well. `complaints()` is asked before every build.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Final

from image_build.sd import boot_line, contents, files, layout
from image_build.sd.flavour import Flavour

#: Without these an initrd doesn't find its root on a Pi 4 or 3B+ (loadable in Debian's kernel; see device_tree.py for
#: the check against a real one), doesn't get fed by the watchdog, or doesn't boot in an emulator.
NEEDED_MODULES: Final = frozenset(
    "gpio-regulator fixed sdhci-iproc bcm2835 mmc_block bcm2835_wdt ext4 vfat virtio_pci virtio_blk".split()
)
NEEDED_PACKAGES: Final = frozenset(
    "apparmor avahi-daemon docker.io initramfs-tools iptables network-manager openssh-server python3 polkitd git".split()
)
#: Any of these on the command line puts a console on the encoder's pins (GPIO 14 and 15).
_SERIAL: Final = ("console=ttyS", "console=ttyAMA", "console=serial", "kgdboc=", "earlycon")


def complaints(flavour: Flavour) -> tuple[str, ...]:
    """Everything that is wrong with a flavour's plan."""
    return (*_kernel(flavour), *_firmware(flavour), *_initrd(), *_layout(), *_packages(flavour), *_mounts(flavour))


def line_complaints(line: str) -> Iterator[str]:
    """What is wrong with a kernel command line."""
    words = line.split()
    if "\n" in line.strip():
        yield "The kernel's command line must be one line."
    if serial := [word for word in words if word.startswith(_SERIAL)]:
        yield f"{serial[0]} would drive GPIO 14 against the encoder."
    if "cgroup_enable=memory" not in words:
        yield "Without cgroup_enable=memory the limit on a job's memory does nothing."
    if f"isolcpus={boot_line.LOOP_CORE}" not in words:
        yield f"Core {boot_line.LOOP_CORE} isn't isolated for the motor loop."
    if not any(word.startswith("root=PARTUUID=") for word in words) or "rootwait" not in words:
        yield "The root must be named by PARTUUID, with rootwait: the order of card readers differs between boards."
    if [word for word in words if word in ("ro", "rw")][-1:] != ["ro"]:
        yield "The root must be mounted read only; the last of ro and rw counts."
    if any(word.startswith("cma=") for word in words):
        yield "cma= may keep a Pi 4 from booting."


def _kernel(flavour: Flavour) -> Iterator[str]:
    line = boot_line.cmdline(flavour)
    yield from line_complaints(line)
    if boot_line.root_word(flavour) not in line:
        yield "The command line names another root than the layout has."
    if flavour.firmware_hook and "initcall_blacklist=bcm2835aux_serial_driver_init" not in line:
        yield "Debian's kernel takes GPIO 14 and 15 for its second serial port unless that driver is switched off."


def _firmware(flavour: Flavour) -> Iterator[str]:
    lines = boot_line.config_txt(flavour).splitlines()
    for wanted, why in (
        ("enable_uart=0", "the serial port is on the encoder's pins"),
        ("gpio=13,19=ip,pd", "the motor's pins float until Linux runs"),
        ("arm_64bit=1", "a Pi 3 starts a kernel of 32 bits"),
    ):
        if wanted not in lines:
            yield f"config.txt lacks {wanted}: {why}."
    if "enable_uart=1" in lines:
        yield "config.txt switches the serial port on."


def _initrd() -> Iterator[str]:
    if missing := NEEDED_MODULES - set(contents.INITRD_MODULES):
        yield f"The initrd lacks {', '.join(sorted(missing))}."


def _layout() -> Iterator[str]:
    parts = layout.PARTITIONS
    for left, right in itertools.pairwise(parts):
        if not left.size_mib or left.start_mib + left.size_mib > right.start_mib:
            yield f"The partitions {left.name} and {right.name} overlap."
    if layout.ROOT_A.size_mib != layout.ROOT_B.size_mib:
        yield "Both slots must have the same size."
    if any(part.start_mib % 4 for part in parts):
        yield "Partitions must begin at multiples of 4 MiB, the size of a card's erase blocks."
    room = layout.SMALLEST_CARD_BYTES // layout.MIB - layout.DATA.start_mib
    if room < layout.SMALLEST_DATA_MIB:
        yield f"A card of 8 GB leaves {room} MiB for data."


def _packages(flavour: Flavour) -> Iterator[str]:
    if missing := NEEDED_PACKAGES - {*contents.PACKAGES, *flavour.packages}:
        yield f"Packages are missing: {', '.join(sorted(missing))}."
    if sum(name.startswith("linux-image") for name in flavour.packages) != 1:
        yield "There must be exactly one kernel."
    for archive in flavour.archives:
        if not archive.keyring.startswith("/"):
            yield f"Nothing says who signs {archive.uri}; its packages would be taken from anybody."
    if flavour.robot_link == "pigpiod" and not flavour.archives:
        yield "pigpiod doesn't work on Debian's kernels; the kernel must come from Raspberry Pi's archive."


def _mounts(flavour: Flavour) -> Iterator[str]:
    mounts = [line.split() for line in files.fstab(flavour).splitlines()]
    points = [fields[1] for fields in mounts]
    if len(set(points)) != len(points) or any(len(fields) != 6 for fields in mounts):
        yield "fstab has a mount point twice, or a line without its six fields."
    for fields in mounts:
        if fields[1] not in ("/", *contents.VOLATILE) and "nofail" not in fields[3].split(","):
            yield f"Without nofail a broken {fields[1]} keeps the appliance from coming up."
    if contents.HARDWARE_WATCHDOG_S > 15:
        yield "A Pi's watchdog can't wait longer than 15 s, and systemd then uses none."
    if not {"/var/lib/raas", "/etc/raas", "/var/lib/docker"} <= {path for _, path in contents.PERSISTENT}:
        yield "Jobs, settings and images must outlive a restart."
    if not {"ssh.service"} <= set(contents.DISABLED):
        yield "ssh must be off until somebody gave a key."
