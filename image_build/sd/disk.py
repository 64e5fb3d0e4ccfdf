"""How do folders become file systems and an image, without loop devices and with the same bytes each time?

FAT: `mkfs.vfat --invariant` and mcopy. ext4: `mke2fs -d` with a fixed UUID, hash seed and time. Older mke2fs knows
SOURCE_DATE_EPOCH not, but the time that its own tests set; what it copies from the folder (the time of the last change
of a file's status, which nobody can set) is written over with debugfs.
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from image_build.process import BuildError, run
from image_build.rootfs import SOURCE_DATE_S
from image_build.sd.layout import MIB, Partition

_PROGRAMS_HINT: Final = (
    "Install them with `apt-get install dosfstools mtools fdisk e2fsprogs zstd`, or run `make setup-dev`."
)
_ENVIRONMENT: Final = {
    "PATH": f"{os.defpath}:/usr/sbin:/sbin",
    "SOURCE_DATE_EPOCH": str(SOURCE_DATE_S),
    "E2FSPROGS_FAKE_TIME": str(SOURCE_DATE_S),
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
}
#: debugfs takes one command a line, and quotes names by doubled quotation marks.
_UNQUOTABLE: Final = re.compile(r"[\n\r]")


def settle_times(root: Path) -> None:
    """Give everything in a folder, links too, the one time of all our images; nothing that is read changes it again."""
    for path in _everything(root):
        os.utime(path, (SOURCE_DATE_S, SOURCE_DATE_S), follow_symlinks=False)


def make_fat(folder: Path, image: Path, partition: Partition, volume_id: int) -> None:
    """Write a FAT file system with what is in `folder`. Raises BuildError where it doesn't fit."""
    settle_times(folder)
    _blank(image, partition)
    _run("mkfs.vfat", "--invariant", "-F", "32", "-i", f"{volume_id:08x}", "-n", partition.name.upper(), image)
    entries = sorted(folder.iterdir())
    if entries:
        # -m keeps the times, -s takes folders along; one order of names.
        _run(
            "mcopy",
            "-i",
            image,
            "-m",
            "-Q",
            *(["-s"] if any(entry.is_dir() for entry in entries) else []),
            *entries,
            "::",
        )


def make_ext4(folder: Path, image: Path, partition: Partition, name: str) -> None:
    """Write an ext4 file system with what is in `folder`, numeric owners and all; needs root for those.

    `name` distinguishes file systems: the UUID comes from it. Raises BuildError where it doesn't fit.
    """
    settle_times(folder)
    _blank(image, partition)
    identity, seed = (uuid.uuid5(uuid.NAMESPACE_URL, f"raas:{name}:{part}") for part in ("uuid", "seed"))
    extended = f"hash_seed={seed},lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0"
    options: tuple[str | Path, ...] = ("-U", str(identity), "-E", extended, "-L", partition.name, "-d", folder)
    _run("mke2fs", "-q", "-t", "ext4", "-b", "4096", "-I", "256", *options, image)
    _settle_inodes(folder, image)
    _run("e2fsck", "-f", "-n", image)


def assemble(table: str, parts: Iterable[tuple[Partition, Path]], image: Path) -> None:
    """Write a disk with a partition table (sfdisk's input) and the file systems in their places; holes stay holes."""
    parts = tuple(parts)
    image.unlink(missing_ok=True)
    with image.open("wb") as disk:
        disk.truncate(max(part.start_mib + part.size_mib for part, _ in parts) * MIB)
    _run("sfdisk", "--quiet", "--no-tell-kernel", "--no-reread", image, given=table)
    for partition, content in parts:
        copied = ("conv=notrunc,sparse", "bs=1M", f"seek={partition.start_mib}", "status=none")
        _run("dd", f"if={content}", f"of={image}", *copied)


def compress(image: Path, level: int = 12) -> Path:
    """Compress an image beside itself; one thread, as the bytes depend on nothing else then."""
    target = image.with_name(image.name + ".zst")
    _run("zstd", "--quiet", "--force", f"-{level}", "--single-thread", image, "-o", target)
    return target


def _settle_inodes(folder: Path, image: Path) -> None:
    """Overwrite the times that mke2fs took from the folder's inodes."""
    commands = image.with_suffix(".debugfs")
    with commands.open("w") as script:
        for path in _everything(folder):
            inside = "/" if path == folder else f"/{path.relative_to(folder)}"
            if _UNQUOTABLE.search(inside):
                raise BuildError(f"{inside!r} can't be in an image: its name has a line break.")
            name = inside.replace('"', '""')
            script.writelines(
                f'set_inode_field "{name}" {field} {value}\n'
                for field, value in (
                    *(("ctime", f"@{SOURCE_DATE_S}"), ("atime", f"@{SOURCE_DATE_S}")),
                    *(("ctime_extra", 0), ("atime_extra", 0)),
                )
            )
    said = _run("debugfs", "-w", "-f", commands, image)
    if trouble := [line for line in said.splitlines() if not line.startswith("debugfs")]:
        raise BuildError(f"debugfs couldn't set the times in {image.name}: {trouble[0]}")
    commands.unlink()


def _blank(image: Path, partition: Partition) -> None:
    image.unlink(missing_ok=True)
    with image.open("wb") as file:
        file.truncate(partition.size_mib * MIB)


def _everything(root: Path) -> Iterable[Path]:
    yield root
    for folder, folders, names in os.walk(root):
        folders.sort()
        yield from (Path(folder) / name for name in sorted([*folders, *names]))


def _run(program: str, *arguments: str | Path, given: str = "") -> str:
    if shutil.which(program, path=_ENVIRONMENT["PATH"]) is None:
        raise BuildError(f"`{program}` isn't installed. {_PROGRAMS_HINT}")
    return run([program, *arguments], environment=_ENVIRONMENT, given=given)
