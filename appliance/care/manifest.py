"""What may stand in a backup, and what does? Names that are allowed, and the list of contents with checksums; pure.

A backup is a plain tar file. `manifest.json` is its last member, so that one that was cut off has none.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from appliance import ulid
from appliance.errors import RaasError

NAME: Final = "manifest.json"
DATABASE: Final = "db/raas.db"
CONFIG: Final = "config/raas.yaml"
ROBOT: Final = "config/robot.yaml"
FORMAT: Final = 1
#: Folders of the data folder whose content is put back as it was.
FOLDERS: Final = ("db", "jobs", "inbox", "identity", "estop", "settings")
_EXACT: Final = frozenset({
    DATABASE, CONFIG, ROBOT, "identity/owner.json", "identity/setup-code", "estop/latched", "estop/retired",
    "settings/page.json", "settings/robot.json",
})  # fmt: skip
_MOST_PARTS: Final = 64
_MOST_CHARACTERS: Final = 2000
_DIGEST: Final = re.compile("[0-9a-f]{64}")


class BadBackup(RaasError):
    """A file that is no backup, or a damaged one; nothing of it was restored."""


class Entry(msgspec.Struct, frozen=True):
    """One file: its length and SHA-256."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The list of contents. database: number of its schema. at: seconds since the epoch. jobs: how many it knows."""

    format: int
    at: float
    software: str
    name: str
    database: int
    jobs: int
    robot_file: str
    files: dict[str, Entry]

    @property
    def bytes(self) -> int:
        """All contents together."""
        return sum(entry.size for entry in self.files.values())


def is_allowed(name: str) -> bool:
    """Whether a member of this name belongs into a backup: no way leads out of the places that are named here."""
    if name in _EXACT:
        return True
    if len(name) > _MOST_CHARACTERS or not name.isprintable():
        return False
    top, *parts = name.split("/")
    if not parts or not ulid.is_valid(parts[0]):
        return False
    if top == "inbox":
        return len(parts) == 1
    return top == "jobs" and 2 <= len(parts) <= _MOST_PARTS and all(_is_plain(part) for part in parts)


def parse(content: bytes) -> Manifest:
    """The manifest of a backup. Raises BadBackup."""
    try:
        found = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise BadBackup(f"The backup's list of contents can't be read ({error}). Take another backup.") from error
    if found.format != FORMAT:
        raise BadBackup(f"The backup has format {found.format}; this version reads {FORMAT}. Update the software.")
    return found


def compare(manifest: Manifest, found: dict[str, Entry]) -> None:
    """Raises BadBackup unless exactly what is listed was found."""
    if DATABASE not in manifest.files:
        raise BadBackup("The backup holds no database. Take another one.")
    if missing := sorted(manifest.files.keys() - found.keys()):
        raise BadBackup(f"{missing[0]} is missing in the backup ({len(missing)} files in all). Take another one.")
    if foreign := sorted(found.keys() - manifest.files.keys()):
        raise BadBackup(
            f"{foreign[0]!r} isn't in the backup's list of contents. Somebody has changed it; take another."
        )
    for name, entry in manifest.files.items():
        if found[name] != entry or not _DIGEST.fullmatch(entry.sha256):
            raise BadBackup(f"{name} is damaged in the backup: its checksum is another one. Take another backup.")


def _is_plain(part: str) -> bool:
    return part not in ("", ".", "..") and len(part.encode(errors="replace")) <= 255 and "\\" not in part
