"""The data partition is made once, checked and grown later, and replaced by memory where it can't be."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from image_build.sd import layout
from image_build.sd.storage import StorageError, disk_of, main, prepare

Answer = tuple[int, str]


class System:
    """Answers as a machine with a card would, and remembers what it was asked."""

    def __init__(
        self, *, partitions: int, size_bytes: int = 32_000_000_000, label: str = "data", e2fsck: int = 0
    ) -> None:
        devices = [{"path": f"/dev/mmcblk0p{number}", "size": 1} for number in range(1, partitions + 1)]
        card = {"blockdevices": [{"path": "/dev/mmcblk0", "size": size_bytes}, *devices]}
        self.answers: dict[str, Answer] = {
            "findmnt": (0, "/dev/mmcblk0p2\n"), "lsblk": (0, json.dumps(card)), "blkid": (0, label + "\n"),
            "e2fsck": (e2fsck, "said"),
        }  # fmt: skip
        self.asked: list[str] = []

    def run(self, command: Sequence[str], given: str) -> Answer:
        self.asked.append(" ".join(command))
        return self.answers.get(command[0], (0, ""))

    def names(self) -> list[str]:
        return [command.split()[0] for command in self.asked]


def test_the_first_boot_divides_the_card_and_makes_a_file_system() -> None:
    system = System(partitions=2, label="")
    prepare(system.run)
    assert "mke2fs" in system.names()
    assert "--wipe-partitions=always" in system.asked[2], "what the card held before it was flashed is nobody's"
    assert system.asked[-1] == "tune2fs -L data /dev/mmcblk0p4"


def test_later_boots_check_mount_and_grow_it_and_make_nothing(tmp_path: Path) -> None:
    system = System(partitions=4)
    main(system.run, tmp_path)
    assert system.names() == ["findmnt", "lsblk", "blkid", "e2fsck", "mount", "resize2fs"]


@pytest.mark.parametrize(("answer", "said"), [((8, ""), "blkid: 8"), ((0, "holiday\n"), "'holiday'")])
def test_what_is_not_understood_is_never_made_anew(
    answer: Answer, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    system = System(partitions=4)
    system.answers["blkid"] = answer
    main(system.run, tmp_path / "data")
    assert said in capsys.readouterr().err
    assert "mke2fs" not in system.names()


def disk_tools(device: Path) -> Callable[[Sequence[str], str], Answer]:
    """The real programs on a file in place of the partition; mounting, which needs a device, is told as done."""

    def run(command: Sequence[str], given: str) -> Answer:
        system = System(partitions=4)
        if command[0] in ("findmnt", "lsblk", "mount"):
            return system.run(command, given)
        named = [str(device) if word == "/dev/mmcblk0p4" else word for word in command]
        done = subprocess.run(named, input=given, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    return run


def used_once(device: Path) -> bytes:
    """Make the file system by a first start, and let it look mounted since; its unique name."""
    with device.open("wb") as file:
        file.truncate(64_000_000)
    prepare(disk_tools(device))
    subprocess.run(["debugfs", "-w", "-R", "set_super_value mtime 20370101", device], check=True, capture_output=True)
    return subprocess.check_output(["blkid", "--probe", "--match-tag=UUID", "--output=value", device])


def test_what_was_written_is_found_at_the_next_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    device = tmp_path / "partition"
    name = used_once(device)
    prepare(disk_tools(device))
    assert subprocess.check_output(["blkid", "--probe", "--match-tag=UUID", "--output=value", device]) == name
    assert capsys.readouterr().err == ""


def test_a_torn_superblock_is_mended_from_its_copy(tmp_path: Path) -> None:
    device = tmp_path / "partition"
    name = used_once(device)
    with device.open("r+b") as file:
        file.seek(1024)
        file.write(bytes(1024))
    prepare(disk_tools(device))
    assert subprocess.check_output(["blkid", "--probe", "--match-tag=UUID", "--output=value", device]) == name


def test_a_file_system_whose_making_was_cut_is_made_again() -> None:
    system = System(partitions=4, label="")
    prepare(system.run)
    assert "mke2fs" in system.names()


@pytest.mark.parametrize(("system", "said"), [
    (System(partitions=2, size_bytes=4_000_000_000), "one of 8 GB"),
    (System(partitions=4, e2fsck=4), "beyond repair"),
])  # fmt: skip
def test_what_cannot_be_used_is_said_and_memory_takes_its_place(
    system: System, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(system.run, tmp_path / "data")
    told = capsys.readouterr().err
    assert "Nothing is kept over a restart" in told
    assert said in told
    assert system.asked[-1].startswith("mount -t tmpfs")
    assert (tmp_path / "data/raas").is_dir()


@pytest.mark.parametrize(
    ("partition", "disk"),
    [
        ("/dev/mmcblk0p2", "/dev/mmcblk0"),
        ("/dev/sda2", "/dev/sda"),
        ("/dev/vda2", "/dev/vda"),
        ("/dev/nvme0n1p2", "/dev/nvme0n1"),
    ],
)
def test_the_disk_of_a_partition_is_found(partition: str, disk: str) -> None:
    assert disk_of(partition) == disk


def test_a_root_that_is_on_no_card_is_left_alone() -> None:
    with pytest.raises(StorageError, match="no partition of a card"):
        disk_of("overlay")


@pytest.mark.skipif(shutil.which("sfdisk", path="/usr/sbin:/sbin:/usr/bin") is None, reason="needs fdisk")
@pytest.mark.parametrize("card_bytes", [layout.SMALLEST_CARD_BYTES, 32_000_000_000])
def test_sfdisk_takes_what_we_append(tmp_path: Path, card_bytes: int) -> None:
    card = tmp_path / "card"
    with card.open("wb") as file:
        file.truncate(card_bytes)
    sfdisk: Callable[..., object] = subprocess.run
    sfdisk(["sfdisk", "--quiet", card], input=layout.table(1), text=True, check=True)
    sfdisk(
        ["sfdisk", "--quiet", "--append", card],
        input=layout.missing(frozenset({1, 2}), card_bytes),
        text=True,
        check=True,
    )
    table = json.loads(subprocess.check_output(["sfdisk", "--json", card]))["partitiontable"]["partitions"]
    assert [entry["start"] // layout.SECTORS_PER_MIB for entry in table] == [4, 516, 3076, 5636]
    end = table[3]["start"] + table[3]["size"]
    assert 0 <= card_bytes // 512 - end < layout.SECTORS_PER_MIB
