"""Which driver of a kernel serves a device, and is it built in? From the lists that come with the kernel's modules."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True)
class Kernel:
    """`aliases`: pattern of a device's name -> module; `built_in`: modules that are part of the kernel itself."""

    aliases: tuple[tuple[str, str], ...]
    built_in: frozenset[str]

    @classmethod
    def of(cls, modules_alias: str, modules_builtin: str) -> Kernel:
        """From the contents of modules.alias and modules.builtin."""
        pairs = (line.split()[1:3] for line in modules_alias.splitlines() if line.startswith("alias of:"))
        names = (PurePosixPath(line).name.partition(".")[0] for line in modules_builtin.splitlines())
        return cls(tuple((pattern, plain(module)) for pattern, module in pairs), frozenset(map(plain, names)))

    def module_for(self, compatible: tuple[str, ...]) -> str | None:
        """The loadable module of a device; None where the kernel itself serves it, or nothing does."""
        for name in compatible:
            wanted = f"of:NnodeTtypeC{name}"
            for pattern, module in self.aliases:
                if fnmatch.fnmatchcase(wanted, re.sub(r"\[", "[[]", pattern)):
                    return module
        return None


def plain(module: str) -> str:
    """A module's name as the kernel compares it."""
    return module.replace("-", "_")


def lacking(kernel: Kernel, way: Iterable[tuple[str, ...]], listed: Iterable[str]) -> tuple[str, ...]:
    """Modules that a board's way to its card needs, and that are neither listed nor built in."""
    there = kernel.built_in | {plain(module) for module in listed}
    needed = {module for compatible in way if (module := kernel.module_for(compatible))}
    return tuple(sorted(needed - there))
