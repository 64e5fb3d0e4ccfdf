"""Which distributions does a hashed requirements file pin, for one Python on one kind of machine?

A lock covers several Python versions by markers. pip evaluates those for the Python that runs it, not for the one it
installs for, so a lock for an image is cut to that image here, before pip sees it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@dataclass(frozen=True)
class Pin:
    """One distribution at one version, with the hashes of its files."""

    name: str
    version: str
    hashes: tuple[str, ...]

    def __str__(self) -> str:
        """The pin as a line of a requirements file."""
        return " ".join([f"{self.name}=={self.version}", *(f"--hash={value}" for value in self.hashes)])


def pins(lock: str, *, python: str, machine: str) -> tuple[Pin, ...]:
    """The pins of `lock` that apply to CPython `python` (such as "3.11") on Linux on `machine` (such as "x86_64").

    Raises `ValueError` for a line that pins nothing or has no hash.
    """
    environment = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }
    found = []
    for line in _logical_lines(lock.splitlines()):
        text, *options = line.split(" --hash=")
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate(environment):
            continue
        specifiers = list(requirement.specifier)
        if len(specifiers) != 1 or specifiers[0].operator != "==" or not options:
            raise ValueError(f"{text!r} isn't pinned to one version with hashes; recreate the lock with `make lock`")
        hashes = tuple(value.strip() for value in options)
        found.append(Pin(canonicalize_name(requirement.name), specifiers[0].version, hashes))
    return tuple(found)


def _logical_lines(lines: Iterable[str]) -> Iterator[str]:
    """Join continued lines, and leave out comments and blank lines."""
    joined = ""
    for line in lines:
        text = line.split("#", 1)[0].strip()
        joined = f"{joined} {text.removesuffix(chr(92)).strip()}".strip()
        if text.endswith("\\"):
            continue
        if joined:
            yield joined
        joined = ""
