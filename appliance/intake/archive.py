"""What is in an uploaded archive, and may it be written? The task inside the confined child.

zip, tar, tar.gz, tar.bz2 and tar.xz, known by their content. All entries are checked before the first is written, and
counted again while they are written: a size that an archive declares is only a claim. Links, devices, absolute names,
`..`, and names that differ only in case are refused; modes, owners and times in the archive are not used.
"""

from __future__ import annotations

import bz2
import codecs
import contextlib
import gzip
import lzma
import os
import stat
import tarfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, Final, Protocol

from appliance.errors import BadSource
from appliance.intake import confined, program
from appliance.intake.tree import MAX_DEPTH, Budget, objection, plain

_CHUNK_BYTES: Final = 1 << 20
codecs.lookup("cp437")  # names in old zips; in the room no module can be loaded any more
_TAR_OVERHEAD: Final = 3  # headers, padding and extended headers of many small files
_ENTRIES_PER_FILE: Final = 3  # folders may be named again and again, and macOS adds a shadow to each file
_JUNK: Final = frozenset({"__MACOSX", ".DS_Store"})
_KINDS: Final = (
    (b"PK\x03\x04", "zip"), (b"PK\x05\x06", "zip"), (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!", "rar"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\x04\x22\x4d\x18", "lz4"),
)  # fmt: skip
_ADVICE: Final = "Make a zip or tar.gz of the folder with run.py and submit again."
_BROKEN: Final = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, gzip.BadGzipFile, NotImplementedError,
    UnicodeError, ValueError, OverflowError, IndexError,
)  # fmt: skip


class Readable(Protocol):
    """What gives bytes when read."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


@dataclass(frozen=True)
class Entry:
    """One entry as the archive names it. `odd` says what it is if neither file nor folder."""

    name: str
    is_folder: bool
    size: int
    executable: bool = False
    odd: str = ""


def kind(head: bytes) -> str:
    """Which format begins with `head` (512 bytes). Raises BadSource for anything but zip and tar, packed or not."""
    found = next((name for magic, name in _KINDS if head.startswith(magic)), "")
    if not found and head[257:262] == b"ustar":
        found = "tar"
    if found in {"zip", "gzip", "bzip2", "xz", "tar"}:
        return found
    if found:
        raise BadSource(f"This is a {found} file, which can't be unpacked here. {_ADVICE}")
    raise BadSource(f"This is no archive that can be unpacked here: neither zip nor tar. {_ADVICE}")


def clean(name: str) -> str:
    """The name of an entry as a relative path without `./` and final slash; '' for the top itself.

    Raises BadSource if it leads outside or can't be a name.
    """
    shown = plain(name, 120)
    if name.startswith("/") or (name[1:2] == ":" and name[:1].isalpha()):
        raise BadSource(f"The archive has an entry with an absolute name, “{shown}”. {_ADVICE}")
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise BadSource(f"The archive has an entry that leads outside of it, “{shown}”. {_ADVICE}")
    for part in parts:
        wrong = objection(part)
        if wrong:
            raise BadSource(f"The archive has an entry whose name {wrong}: “{shown}”. Rename it.")
    if len(parts) > MAX_DEPTH:
        raise BadSource(f"The archive has folders nested deeper than {MAX_DEPTH}: “{shown}”. Make them flatter.")
    return "/".join(parts)


def is_junk(path: str) -> bool:
    """Whether `path` is something that macOS adds and nobody means."""
    return any(part in _JUNK for part in path.split("/")) or path.rpartition("/")[2].startswith("._")


class Plan:
    """What will be written: checked entries by path. `add` raises BadSource for one that can't be taken."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._entries = Budget(0, _ENTRIES_PER_FILE * budget.max_files)
        self._spelling: dict[str, str] = {}
        self.folders: set[str] = set()
        self.files: dict[str, bool] = {}

    def add(self, entry: Entry) -> None:
        """Check one entry against the rules and against those before it."""
        self._entries.spend(files=1)
        path = clean(entry.name)
        if is_junk(path):
            return
        if entry.odd:
            raise BadSource(f"The archive has a {entry.odd} in it, “{plain(path, 120)}”. Put the file itself there.")
        if not path:
            if not entry.is_folder:
                raise BadSource(f"The archive has an entry without a name. {_ADVICE}")
            return
        self._budget.spend(size_bytes=max(0, entry.size))
        parent = ""
        for part in path.split("/")[: None if entry.is_folder else -1]:
            parent = f"{parent}/{part}" if parent else part
            self._add_folder(parent)
        if not entry.is_folder:
            self._claim(path)
            if path in self.folders or path in self.files:
                raise BadSource(f"The archive has two entries named “{plain(path, 120)}”. {_ADVICE}")
            self._budget.spend(files=1)
            self.files[path] = entry.executable

    def _add_folder(self, path: str) -> None:
        if path in self.files:
            raise BadSource(f"The archive has “{plain(path, 120)}” as a file and as a folder. {_ADVICE}")
        if path not in self.folders:
            self._claim(path)
            self._budget.spend(files=1)
            self.folders.add(path)

    def _claim(self, path: str) -> None:
        other = self._spelling.setdefault(unicodedata.normalize("NFC", path).casefold(), path)
        if other != path:
            pair = f"“{plain(other, 120)}” and “{plain(path, 120)}”"
            raise BadSource(f"The archive has two names that differ only in case or accents, {pair}. Rename one.")

    def at_top(self) -> dict[str, bool]:
        """What stands at the top: name, and whether it is a folder."""
        top = {path: False for path in self.files if "/" not in path}
        return top | {path: True for path in self.folders if "/" not in path}

    def root(self) -> str:
        """The folder with run.py, '' or the single top folder. Raises BadSource if there is none."""
        top = program.top(self.at_top(), "archive", in_top_folder=True)
        if top and f"{top}/{program.NAME}" not in self.files:
            paths = dict.fromkeys(self.files, False) | dict.fromkeys(self.folders, True)
            inside = {
                p.split("/")[1]: is_folder
                for p, is_folder in paths.items()
                if p.startswith(top + "/") and p.count("/") == 1
            }
            raise BadSource(program.missing(inside, "archive", in_top_folder=True, inside=top + "/"))
        return top


def unpack(order: confined.Order, teller: confined.Teller) -> dict[str, Any]:
    """Check and unpack the archive on standard input into tree/. Returns the folder with run.py, relative to it."""
    limits = (order["max_bytes"], order["max_files"])
    with open(0, "rb", closefd=False) as file:
        try:
            what = kind(file.read(512))
            teller.stage("list")
            plan = Plan(Budget(*limits))
            for entry, _ in _entries(file, what, limits[0]):
                plan.add(entry)
            root = plan.root()
            teller.stage("unpack")
            _write(plan, _entries(file, what, limits[0]), Budget(*limits))
        except _BROKEN as error:
            said = plain(str(error), 120) or type(error).__name__
            raise BadSource(f"The archive is broken or cut off ({said}). {_ADVICE}") from error
        except OSError as error:
            if error.errno is not None:  # the disk's, not the archive's
                raise
            raise BadSource(f"The archive is broken or cut off ({plain(str(error), 120)}). {_ADVICE}") from error
        except RuntimeError as error:  # zipfile: encrypted
            raise BadSource(f"The archive can't be read ({plain(str(error), 120)}). {_ADVICE}") from error
    teller.stage("program")
    program.check(Path("tree") / root)
    return {"root": root}


def _write(plan: Plan, entries: Iterator[tuple[Entry, IO[bytes] | None]], budget: Budget) -> None:
    os.mkdir("tree")
    for folder in sorted(plan.folders):
        os.mkdir(f"tree/{folder}", 0o755)
    for entry, stream in entries:
        path = clean(entry.name)
        if stream is None or path not in plan.files or is_junk(path):
            continue
        descriptor = os.open(
            f"tree/{path}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o755 if plan.files[path] else 0o644
        )
        with open(descriptor, "wb") as target:
            while chunk := stream.read(_CHUNK_BYTES):
                budget.spend(size_bytes=len(chunk))
                target.write(chunk)


def _entries(file: BinaryIO, what: str, max_bytes: int) -> Iterator[tuple[Entry, IO[bytes] | None]]:
    """All entries from the start, each with a stream of its content if it is a file."""
    file.seek(0)
    return _zip_entries(file) if what == "zip" else _tar_entries(file, what, max_bytes)


def _zip_entries(file: BinaryIO) -> Iterator[tuple[Entry, IO[bytes] | None]]:
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            if info.flag_bits & 1:
                raise BadSource(f"The archive is protected by a password. {_ADVICE}")
            mode = info.external_attr >> 16 if info.create_system == 3 else 0
            form = stat.S_IFMT(mode)
            odd = "" if form in {0, stat.S_IFREG, stat.S_IFDIR} else _form(form)
            # ZipInfo cuts its name at a NUL: such a name is an attack or damage.
            name = info.filename if "\0" not in info.orig_filename else info.orig_filename
            entry = Entry(name, info.is_dir(), info.file_size, bool(mode & 0o100), odd)
            with contextlib.ExitStack() as stack:
                is_file = not entry.is_folder and not odd
                yield entry, stack.enter_context(archive.open(info)) if is_file else None


def _form(form: int) -> str:
    return "link" if form == stat.S_IFLNK else "device or other special file"


class _Counted:
    """A decompressed stream that ends in BadSource once it has given more than a tar of the allowed size can hold."""

    def __init__(self, stream: Readable, budget: Budget) -> None:
        self._stream, self._budget = stream, budget

    def read(self, size: int = -1) -> bytes:
        """At most one chunk, counted."""
        data = self._stream.read(_CHUNK_BYTES if size < 0 else size)
        self._budget.spend(size_bytes=len(data))
        return data


def _tar_entries(file: BinaryIO, what: str, max_bytes: int) -> Iterator[tuple[Entry, IO[bytes] | None]]:
    unpackers: dict[str, Callable[[BinaryIO], Readable]] = {
        "tar": lambda stream: stream,
        "gzip": lambda stream: gzip.GzipFile(fileobj=stream),
        "bzip2": bz2.BZ2File,
        "xz": lzma.LZMAFile,
    }
    budget = Budget(max_bytes, 0)
    budget.bytes = -(_TAR_OVERHEAD - 1) * max_bytes
    counted: Any = _Counted(unpackers[what](file), budget)
    with tarfile.open(fileobj=counted, mode="r|", errorlevel=2) as archive:
        for member in archive:
            odd = "" if member.isreg() or member.isdir() else "link" if member.issym() or member.islnk() else _form(0)
            if member.issparse():
                odd = "sparse file"
            entry = Entry(member.name, member.isdir(), member.size, bool(member.mode & 0o100), odd)
            yield entry, archive.extractfile(member) if not odd and member.isreg() else None


if __name__ == "__main__":
    confined.serve(unpack)
