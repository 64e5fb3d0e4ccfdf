"""Is the data partition there? Made on the first boot, grown on a larger card, checked at each, memory where it can't be.

`python -m image_build.sd.storage`, by raas-storage.service, before anything is mounted from the data partition. A cut at
any moment is harmless: the table is written in one sector, and a file system counts only when it bears its label.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from image_build.sd import contents, layout

#: Runs a program with a text on its standard input; returns exit code and output.
Run = Callable[[Sequence[str], str], tuple[int, str]]

_PARTITION: Final = re.compile(r"^(?P<disk>/dev/(?:mmcblk\d+|nvme\d+n\d+)(?=p)|/dev/[a-z]+)(?:p)?(?P<number>\d+)$")
#: e2fsck(8): 1 means that errors were corrected.
_CORRECTED: Final = 1
#: blkid(8): no file system, or none that is known.
_NOTHING_FOUND: Final = 2


@dataclass(frozen=True)
class Card:
    """The disk that the system runs from: its device, size, and the numbers of its partitions."""

    disk: str
    size_bytes: int
    present: frozenset[int]

    def device(self, partition: layout.Partition) -> str:
        """The device of one of its partitions."""
        return f"{self.disk}{'p' if self.disk[-1].isdigit() else ''}{partition.number}"


class StorageError(Exception):
    """The data partition can't be used; says why."""


def disk_of(partition: str) -> str:
    """The disk that a partition's device belongs to. Raises StorageError."""
    match = _PARTITION.match(partition)
    if not match:
        raise StorageError(f"The root is on {partition}, which is no partition of a card.")
    return match["disk"]


def card(root_device: str, lsblk: str) -> Card:
    """The card from the root's device and what `lsblk --json --bytes --list -o PATH,SIZE` says of its disk."""
    disk = disk_of(root_device)
    entries: list[dict[str, Any]] = json.loads(lsblk)["blockdevices"]
    size = next((int(entry["size"]) for entry in entries if entry["path"] == disk), 0)
    found = (_PARTITION.match(str(entry["path"])) for entry in entries if entry["path"] != disk)
    return Card(disk, size, frozenset(int(match["number"]) for match in found if match))


def prepare(run: Run) -> str:
    """Bring the data partition into a state that can be mounted; its device. Raises StorageError."""
    root = _told(run, ["findmnt", "--noheadings", "--output=SOURCE", "/"]).strip()
    disk = disk_of(root)
    found = card(root, _told(run, ["lsblk", "--json", "--bytes", "--list", "--output=PATH,SIZE", disk]))
    try:
        entries = layout.missing(found.present, found.size_bytes)
    except ValueError as error:
        raise StorageError(str(error)) from error
    if entries:
        # A card that was flashed anew still holds the old data partition's file system; it isn't this appliance's.
        _told(run, ["sfdisk", "--quiet", "--append", "--no-reread", "--wipe-partitions=always", found.disk], entries)
        # Only those that are new: told of all, udev would take the others away for a moment, with what is mounting them.
        _told(run, ["partx", "--add", "--nr", f"{layout.ROOT_B.number}:{layout.DATA.number}", found.disk])
        _told(run, ["udevadm", "settle", "--timeout=20"])
    device = found.device(layout.DATA)
    _file_system(device, run)
    return device


def _file_system(device: str, run: Run) -> None:
    label = _label(device, run)
    if label != layout.DATA.name and run(["e2fsck", "-y", device], "")[0] <= _CORRECTED:
        label = _label(device, run)  # a torn superblock has copies, and e2fsck finds them
    if not label:
        # The label is the last thing that is written: a file system without it was never finished, and holds nothing.
        _told(run, ["mke2fs", "-q", "-t", "ext4", "-F", "-m", "1", "-E", "lazy_itable_init=1,discard", device])
        _told(run, ["tune2fs", "-L", layout.DATA.name, device])
        return
    if label != layout.DATA.name:
        raise StorageError(f"The data partition holds something else, named {label!r}; it is left alone.")
    code, said = run(["e2fsck", "-p", device], "")
    if code > _CORRECTED:
        code, said = run(["e2fsck", "-y", device], "")
    if code > _CORRECTED:
        raise StorageError(f"The data partition is damaged beyond repair: {said.strip().splitlines()[-1:]}")


def _label(device: str, run: Run) -> str:
    """The file system's label; empty where there is none, or no file system. Raises StorageError where that isn't known."""
    code, said = run(["blkid", "--probe", "--match-tag=LABEL", "--output=value", device], "")
    if code not in (0, _NOTHING_FOUND):
        raise StorageError(f"What the data partition holds can't be told (blkid: {code}); it is left alone.")
    return said.strip() if code == 0 else ""


def mount(device: str, data: Path, run: Run) -> None:
    """Mount it, and let it grow over a larger card. Raises StorageError."""
    _told(run, ["mount", "-o", "noatime,commit=5", device, str(data)])
    # Only while it is mounted: otherwise resize2fs wants a whole check since the last mount, which takes minutes.
    code, said = run(["resize2fs", device], "")
    if code != 0:
        print(f"The data partition keeps its size: {said.strip()[-300:]}", file=sys.stderr)


def folders(data: Path) -> None:
    """The folders of the data partition that are shown elsewhere."""
    for name, _ in contents.PERSISTENT:
        (data / name).mkdir(parents=True, exist_ok=True)


def _told(run: Run, command: Sequence[str], given: str = "") -> str:
    code, said = run(command, given)
    if code != 0:
        raise StorageError(f"`{' '.join(command)}` failed: {said.strip()[-300:]}")
    return said


def _run(command: Sequence[str], given: str) -> tuple[int, str]:
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout or done.stderr


def main(run: Run = _run, data: Path = Path("/data")) -> None:
    """Prepare and mount it; where that fails the appliance runs from memory, forgets at a restart, and says so."""
    try:
        mount(prepare(run), data, run)
    except (StorageError, OSError, subprocess.TimeoutExpired) as error:
        print(f"Nothing is kept over a restart: {error}", file=sys.stderr)
        run(["mount", "-t", "tmpfs", "-o", "size=50%,mode=755", "tmpfs", str(data)], "")
    folders(data)


if __name__ == "__main__":
    main()
