"""Which layers are there, and which must go? One folder per layer, named by a hash of everything that went into it.

A layer is complete or absent: it is built under another name and renamed. Those that were not used for the longest time
are removed when all of them together are larger than the budget, but none that a waiting or running job needs.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from appliance import durable

_KEY: Final = re.compile("[0-9a-f]{32}")
_CONTENTS: Final = "layer.json"
_PART: Final = ".part"


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """`layer.json`: what a layer holds (name -> version), and how large it is."""

    packages: dict[str, str]
    size_bytes: int


@dataclass(frozen=True)
class Layer:
    """A complete layer. `site` is the folder that belongs on sys.path."""

    key: str
    site: Path
    contents: Contents


def key(requirements: str, image: str, packages: dict[str, str]) -> str:
    """The name of the layer for these lines on that kind of image with these packages (name -> version)."""
    content = msgspec.json.encode([requirements, image, sorted(packages.items())])
    return hashlib.sha256(content).hexdigest()[:32]


def is_key(text: str) -> bool:
    """Whether it can be a layer's name."""
    return _KEY.fullmatch(text) is not None


class Cache:
    """The layers below `folder`, at most `budget_bytes` of them apart from those in use."""

    def __init__(self, folder: Path, budget_bytes: int) -> None:
        self._folder, self._budget_bytes = folder, budget_bytes

    def find(self, wanted: str) -> Layer | None:
        """The complete layer of that name, marked as used now; None if there is none."""
        folder = self._folder / wanted
        try:
            contents = msgspec.json.decode((folder / _CONTENTS).read_bytes(), type=Contents)
            os.utime(folder / _CONTENTS)
        except (OSError, msgspec.DecodeError):
            return None
        return Layer(wanted, folder / "site", contents)

    def make(self, wanted: str, fill: Callable[[Path], dict[str, str]]) -> Layer:
        """Have `fill` put `site` into a new folder and say what it holds; whatever it raises, nothing stays."""
        part = self._folder / f"{wanted}{_PART}"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            packages = fill(part)
            contents = Contents(packages=packages, size_bytes=_size_bytes(part))
            durable.write(part / _CONTENTS, msgspec.json.encode(contents))
            part.rename(self._folder / wanted)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        return Layer(wanted, self._folder / wanted / "site", contents)

    def trim(self, in_use: Collection[str]) -> list[str]:
        """Remove what a crash left half-built, and then the longest unused layers beyond the budget; returns those."""
        if not self._folder.is_dir():
            return []
        for left_over in self._folder.glob(f"*{_PART}"):
            shutil.rmtree(left_over, ignore_errors=True)
        sizes = {entry.name: self._last_use(entry.name) for entry in self._folder.iterdir() if is_key(entry.name)}
        total = sum(size for _, size in sizes.values())
        removed = []
        for name, (_, size) in sorted(sizes.items(), key=lambda item: item[1][0]):
            if total <= self._budget_bytes:
                break
            if name not in in_use:
                (self._folder / name / _CONTENTS).unlink(missing_ok=True)  # incomplete from here on
                shutil.rmtree(self._folder / name, ignore_errors=True)
                total -= size
                removed.append(name)
        return removed

    def _last_use(self, name: str) -> tuple[float, int]:
        """When it was used, and its size; a layer that isn't complete was never used."""
        path = self._folder / name / _CONTENTS
        with contextlib.suppress(OSError, msgspec.DecodeError):
            contents = msgspec.json.decode(path.read_bytes(), type=Contents)
            return min(path.stat().st_mtime, time.time()), contents.size_bytes
        return 0.0, _size_bytes(self._folder / name)


def _size_bytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
