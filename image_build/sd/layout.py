"""How is a card divided? Boot, two slots for the system, and the rest for data.

The image ends after the first slot, so that nobody waits for empty space to be written. The other two partitions are
made on the first boot (`missing()`), when the card's size is known. MBR, because a Pi 3B+ reads no other table; four
primary partitions are all that it has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MIB: Final = 1024 * 1024
SECTOR_BYTES: Final = 512
SECTORS_PER_MIB: Final = MIB // SECTOR_BYTES


@dataclass(frozen=True)
class Partition:
    """One entry of the table. `size_mib` 0: up to the end of the card. `kind` is the MBR's type."""

    number: int
    name: str
    kind: str
    start_mib: int
    size_mib: int
    in_image: bool


BOOT: Final = Partition(1, "boot", "c", 4, 512, in_image=True)
ROOT_A: Final = Partition(2, "root-a", "83", 516, 2560, in_image=True)
ROOT_B: Final = Partition(3, "root-b", "83", 3076, 2560, in_image=False)
DATA: Final = Partition(4, "data", "83", 5636, 0, in_image=False)
PARTITIONS: Final = (BOOT, ROOT_A, ROOT_B, DATA)

#: A card of "8 GB" has at least this much; cards are sold by powers of ten, less a few percent.
SMALLEST_CARD_BYTES: Final = 7_400_000_000
#: Data that a lab needs at the very least: the job image in Docker's folder, the database, some bundles.
SMALLEST_DATA_MIB: Final = 1024


def image_mib() -> int:
    """Size of the image file, MiB."""
    return max(partition.start_mib + partition.size_mib for partition in PARTITIONS if partition.in_image)


def part_uuid(disk_id: int, partition: Partition) -> str:
    """What the kernel calls a partition of an MBR disk."""
    return f"{disk_id:08x}-{partition.number:02x}"


def table(disk_id: int) -> str:
    """The image's partition table as input for sfdisk."""
    header = ["label: dos", f"label-id: 0x{disk_id:08x}", "unit: sectors", ""]
    return "\n".join([*header, *(_line(part, part.size_mib) for part in PARTITIONS if part.in_image)]) + "\n"


def missing(present: frozenset[int], card_bytes: int) -> str:
    """The entries that a card still lacks, as input for `sfdisk --append`; empty when there are all.

    Raises `ValueError` when the card is too small.
    """
    card_mib = card_bytes // MIB
    lacking = [partition for partition in PARTITIONS if partition.number not in present]
    if lacking and card_mib < DATA.start_mib + SMALLEST_DATA_MIB:
        raise ValueError(
            f"The card has {card_bytes / 1e9:.1f} GB; the appliance needs one of 8 GB, better 32 GB. "
            "Until then nothing is kept over a restart."
        )
    return "".join(_line(part, part.size_mib or card_mib - part.start_mib) + "\n" for part in lacking)


def _line(partition: Partition, size_mib: int) -> str:
    start, size = partition.start_mib * SECTORS_PER_MIB, size_mib * SECTORS_PER_MIB
    bootable = ", bootable" if partition.number == BOOT.number else ""
    return f"start={start}, size={size}, type={partition.kind}{bootable}"
