"""Where does this machine get Debian's packages from? Its own sources, cut to one release, for an image build."""

from __future__ import annotations

import re
from pathlib import Path

from image_build.process import BuildError

# Suites that make up one release of Debian, beside the release itself.
POCKETS = ("-updates", "-security")


def codename(os_release: str) -> str:
    """The release's name from the text of an os-release file; empty if it has none."""
    match = re.search(r"^VERSION_CODENAME=\"?([a-z]+)\"?$", os_release, re.MULTILINE)
    return match[1] if match else ""


def for_suite(suite: str, machine_suite: str, files: dict[Path, str]) -> str:
    """One-line sources for `suite` from the contents of a machine's own source files.

    Only entries of the machine's own release count (`machine_suite`), so a third party's archive never gets into an
    image; their suite is renamed when the image is of another release. Raises `BuildError` when nothing is left.
    """
    ours = {machine_suite + pocket: suite + pocket for pocket in ("", *POCKETS)}
    lines: list[str] = []
    for path, text in sorted(files.items()):
        entries = _deb822(text) if path.suffix == ".sources" else _one_line(text)
        lines += [line for entry in entries for line in _lines(entry, ours)]
    if not lines:
        raise BuildError(f"No package source of {machine_suite} is configured; add one in etc/apt/sources.list.d.")
    return "\n".join(dict.fromkeys(lines)) + "\n"


def read(folder: Path = Path("/etc/apt")) -> dict[Path, str]:
    """The contents of a machine's source files by path."""
    paths = [
        folder / "sources.list",
        *folder.glob("sources.list.d/*.list"),
        *folder.glob("sources.list.d/*.sources"),
    ]
    return {path: path.read_text() for path in paths if path.is_file()}


Entry = dict[str, list[str]]


def _lines(entry: Entry, suites: dict[str, str]) -> list[str]:
    options = "".join(f" [signed-by={path}]" for path in entry.get("signed-by", [])[:1] if path.startswith("/"))
    components = " ".join(entry.get("components", ["main"]))
    return [
        f"deb{options} {uri} {suites[suite]} {components}"
        for uri in entry.get("uris", [])
        for suite in entry.get("suites", [])
        if suite in suites
    ]


def _deb822(text: str) -> list[Entry]:
    """Entries of the newer format: stanzas of `Key: values` (sources.list(5))."""
    entries = []
    for stanza in re.split(r"\n\s*\n", text):
        kept = "\n".join(line for line in stanza.splitlines() if not line.startswith("#"))
        fields = re.findall(r"^([A-Za-z-]+):((?:.*)(?:\n[ \t].*)*)", kept, re.MULTILINE)
        entry = {key.lower(): value.split() for key, value in fields}
        if "deb" in entry.get("types", []) and entry.get("enabled", ["yes"]) != ["no"]:
            entries.append(entry)
    return entries


def _one_line(text: str) -> list[Entry]:
    """Entries of the older format: `deb [options] uri suite components`."""
    entries = []
    for line in text.splitlines():
        match = re.match(r"deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]+)", line.strip())
        if match:
            signed = re.findall(r"signed-by=(\S+)", match[1] or "")
            entries.append(
                {
                    "signed-by": signed,
                    "uris": [match[2]],
                    "suites": [match[3]],
                    "components": match[4].split(),
                }
            )
    return entries
