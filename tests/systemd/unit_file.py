"""A unit file as systemd reads it: sections, and every directive's values in order."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class UnitFile:
    """name: of the unit. directives: (section, key) -> values. comments: all of its comment lines, as one text."""

    name: str
    directives: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    comments: str = ""

    def values(self, key: str, section: str = "Service") -> list[str]:
        return self.directives.get((section, key), [])

    def value(self, key: str, section: str = "Service") -> str:
        """What holds in the end: of a directive that takes one value, the last."""
        return (self.values(key, section) or [""])[-1]

    def words(self, key: str, section: str = "Service") -> set[str]:
        return {word for value in self.values(key, section) for word in value.split()}


def read(path: Path) -> UnitFile:
    found, section, comments = UnitFile(path.name), "", []
    for line in path.read_text().splitlines():
        if line.startswith("#"):
            comments.append(line.lstrip("# "))
        elif line.startswith("["):
            section = line.strip("[]")
        elif line:
            key, _, value = line.partition("=")
            found.directives.setdefault((section, key), []).append(value)
    found.comments = " ".join(comments)
    return found
