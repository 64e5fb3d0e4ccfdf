"""Both flavours' plans pass all static checks, and each check can fail."""

from __future__ import annotations

from dataclasses import replace

import pytest

from appliance import config
from image_build import services
from image_build.sd import boot_line, contents, files, layout
from image_build.sd.checks import complaints, line_complaints
from image_build.sd.debian import DEBIAN
from image_build.sd.flavour import Flavour
from image_build.sd.raspberrypi import RASPBERRYPI

FLAVOURS = pytest.mark.parametrize("flavour", [RASPBERRYPI, DEBIAN], ids=lambda flavour: flavour.name)
GOOD = boot_line.cmdline(RASPBERRYPI)


@FLAVOURS
def test_nothing_is_wrong_with_a_flavour(flavour: Flavour) -> None:
    assert complaints(flavour) == ()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (GOOD + " console=ttyAMA0,115200", "GPIO 14"),
        (GOOD + " console=serial0", "GPIO 14"),
        (GOOD.replace("cgroup_enable=memory ", ""), "a job's memory"),
        (GOOD.replace("isolcpus=3", "isolcpus=2"), "isn't isolated"),
        (GOOD.replace("root=PARTUUID", "root=LABEL"), "by PARTUUID"),
        (GOOD + " rw", "read only"),
        (GOOD + " cma=64M", "keep a Pi 4 from booting"),
        (GOOD + "\nquiet", "one line"),
    ],
)
def test_a_bad_command_line_is_noticed(line: str, said: str) -> None:
    assert list(line_complaints(GOOD)) == []
    assert said in " ".join(line_complaints(line))


@pytest.mark.parametrize(
    ("flavour", "said"),
    [
        (replace(RASPBERRYPI, archives=()), "must come from Raspberry Pi's archive"),
        (replace(RASPBERRYPI, archives=(replace(RASPBERRYPI.archives[0], keyring=""),)), "taken from anybody"),
        (replace(RASPBERRYPI, packages=("raspi-firmware",)), "exactly one kernel"),
        (replace(RASPBERRYPI, firmware_lines=("enable_uart=1",)), "switches the serial port on"),
        (replace(DEBIAN, kernel_words=()), "second serial port"),
        (replace(DEBIAN, kernel_words=(*DEBIAN.kernel_words, "console=ttyS1")), "GPIO 14"),
    ],
)
def test_a_bad_flavour_is_noticed(flavour: Flavour, said: str) -> None:
    assert said in " ".join(complaints(flavour))


@FLAVOURS
def test_only_what_a_flavour_declares_differs(flavour: Flavour) -> None:
    assert flavour.robot_link == config.parse(files.raas_yaml(flavour), "raas.yaml").robot.link
    assert {"raspberrypi": False, "debian": True}[flavour.name] == (
        "/etc/default/raspi-firmware" in files.system_files(flavour)
    )


def test_debians_hook_and_our_own_file_agree_on_what_matters() -> None:
    ours, hooked = (set(boot_line.cmdline(flavour).split()) for flavour in (RASPBERRYPI, DEBIAN))
    assert ours - hooked == {f"root={boot_line.root_word(RASPBERRYPI)}"}
    assert hooked - ours == {f"root={boot_line.root_word(DEBIAN)}", "rw", *DEBIAN.kernel_words}


@FLAVOURS
def test_every_unit_that_is_enabled_comes_with_a_package_or_from_us(flavour: Flavour) -> None:
    ours = {target.name for target in services.targets().values()} | {path.name for path in files.units()}
    packages = {
        "avahi-daemon.service": "avahi-daemon",
        "NetworkManager.service": "network-manager",
        "systemd-timesyncd.service": "systemd-timesyncd",
    }
    for unit in contents.ENABLED:
        assert unit in ours or packages[unit] in contents.PACKAGES


def test_the_second_slot_and_data_fit_the_smallest_card() -> None:
    entries = layout.missing(frozenset({1, 2}), layout.SMALLEST_CARD_BYTES).splitlines()
    starts_sizes = [[int(word.split("=")[1]) for word in entry.split(", ")[:2]] for entry in entries]
    (b_start, b_size), (data_start, data_size) = starts_sizes
    assert b_start * 512 == layout.image_mib() * layout.MIB
    assert b_start + b_size == data_start
    assert data_size * 512 >= layout.SMALLEST_DATA_MIB * layout.MIB
    assert (data_start + data_size) * 512 <= layout.SMALLEST_CARD_BYTES


def test_a_card_that_is_divided_already_is_left_alone() -> None:
    assert layout.missing(frozenset({1, 2, 3, 4}), 1) == ""


def test_a_card_that_is_too_small_is_refused_with_the_size_that_is_right() -> None:
    with pytest.raises(ValueError, match=r"has 4\.0 GB; .* one of 8 GB"):
        layout.missing(frozenset({1, 2}), 4_000_000_000)
