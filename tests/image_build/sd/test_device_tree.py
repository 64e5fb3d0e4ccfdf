"""The way from a board's card controller to everything that feeds it is found, and damaged trees are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from image_build.sd import contents
from image_build.sd.device_tree import nodes, way_to_card
from image_build.sd.kernel_modules import Kernel, lacking
from tests.image_build.sd.device_tree_writer import flattened, handle

# What the device trees and module lists of Debian's PREEMPT_RT kernel say about both boards. The build makes
# the same check with the very kernel that it has put into the image (tree.initrd_complaints).
FROZEN = json.loads((Path(__file__).parent / "boards.json").read_text())
KERNEL = Kernel.of("\n".join(FROZEN["modules_alias"]), "\n".join(FROZEN["modules_builtin"]))
WAYS = {board: [tuple(names) for names in way] for board, way in FROZEN["ways"].items()}

BOARD = {
    "compatible": b"maker,board\0",
    "bus": {
        "compatible": b"simple-bus\0",
        "mmc@1": {"compatible": b"maker,mmc\0", "vmmc-supply": handle(7), "clocks": handle(8) + handle(0)},
        "mmc@2": {"compatible": b"maker,other-mmc\0", "status": b"disabled\0"},
    },
    "power": {"compatible": b"regulator-gpio\0", "phandle": handle(7), "gpios": handle(9) + handle(4)},
    "clock": {"compatible": b"fixed-clock\0", "phandle": handle(8)},
    "expander": {"compatible": b"maker,gpio\0", "phandle": handle(9)},
    "sound": {"compatible": b"maker,sound\0"},
}


def test_the_way_to_the_card_holds_buses_and_suppliers_of_suppliers() -> None:
    way = way_to_card(flattened(BOARD), ("maker,mmc", "maker,other-mmc"))
    assert set(way) == {
        ("maker,mmc",), ("simple-bus",), ("maker,board",), ("regulator-gpio",), ("fixed-clock",), ("maker,gpio",),
    }  # fmt: skip


def test_a_controller_that_is_switched_off_counts_for_nothing() -> None:
    with pytest.raises(ValueError, match="no card controller"):
        way_to_card(flattened(BOARD), ("maker,other-mmc",))


@given(st.integers(0, 600), st.binary(max_size=8))
def test_a_damaged_tree_is_refused_or_read_and_never_hangs(at: int, junk: bytes) -> None:
    blob = flattened(BOARD)
    try:
        nodes(blob[:at] + junk + blob[at + len(junk) :])
    except (ValueError, UnicodeDecodeError):
        pass


def test_something_else_is_no_device_tree() -> None:
    with pytest.raises(ValueError, match="no flattened device tree"):
        nodes(b"#!/bin/sh\n" * 10)


@pytest.mark.parametrize("board", WAYS)
def test_the_initrd_finds_the_card_of_each_board(board: str) -> None:
    assert lacking(KERNEL, WAYS[board], contents.INITRD_MODULES) == ()


@pytest.mark.parametrize("module", ["gpio-regulator", "fixed", "sdhci-iproc"])
def test_a_pi_4_without_one_of_these_would_not_find_its_card(module: str) -> None:
    listed = [name for name in contents.INITRD_MODULES if name != module]
    assert lacking(KERNEL, WAYS["bcm2711-rpi-4-b"], listed) == (module.replace("-", "_"),)


def test_a_pi_3_without_its_card_reader_would_not_find_its_card() -> None:
    listed = [name for name in contents.INITRD_MODULES if name != "bcm2835"]
    assert lacking(KERNEL, WAYS["bcm2837-rpi-3-b-plus"], listed) == ("bcm2835",)
