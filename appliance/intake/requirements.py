"""What does a repository's `requirements.txt` ask for beyond the job image? Pure, apart from reading that one file.

Names and versions are compared with the packages that the job image carries; only the rest needs pip. What pip isn't
asked here (URLs, other files, options that change where packages come from) is refused with its line. Hashes are handed on to pip, which takes no wheel that they don't name; what the image has is
taken as it is.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from appliance.errors import BadSource
from appliance.intake.tree import plain

NAME: Final = "requirements.txt"
_MAX_BYTES: Final = 64 << 10
_SHOWN: Final = 10
_OWN: Final = "gym-raas"  # what every image carries beyond its list
# Where pip looks changes nothing about what is needed.
_IGNORED_OPTIONS: Final = (
    "--index-url",
    "-i",
    "--extra-index-url",
    "--trusted-host",
    "--prefer-binary",
    "--no-cache-dir",
)
_REQUIRE_HASHES: Final = "--require-hashes"
_HASH: Final = re.compile(r"--hash[= ](sha(?:256|384|512):[0-9a-f]{64,128})$")
_MARKERS: Final = {
    "python_version": "3.11",
    "python_full_version": "3.11.2",
    "implementation_name": "cpython",
    "implementation_version": "3.11.2",
    "platform_python_implementation": "CPython",
    "os_name": "posix",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_release": "",
    "platform_version": "",
    "extra": "",
}


def check(path: Path, packages: Mapping[str, str]) -> None:
    """Refuse the file at `path`, if there is one, unless `packages` (name to version) satisfy it. Raises BadSource."""
    missing = unmet(_read(path), packages)
    if missing:
        has = ", ".join(f"{name} {version}" for name, version in sorted(packages.items()))
        raise BadSource(
            f"{NAME} asks for what the job image doesn't have: {', '.join(missing[:_SHOWN])}"
            f"{', …' if len(missing) > _SHOWN else ''}. The image has {has}. Loosen the versions, or put pure Python "
            "packages beside run.py and take their lines out."
        )


def wanted(path: Path, packages: Mapping[str, str]) -> str:
    """What pip is to install for the file at `path`: plain requirements, one a line; '' if `packages` satisfy it.

    One hash in it makes pip ask for a hash of everything that it installs. All that applies here stands in it, so that pip finds versions that go together. Raises BadSource for a bad line.
    """
    text = _read(path)
    if not unmet(text, packages):
        return ""
    asked = _applying(text)
    needs_hashes = any(line == _REQUIRE_HASHES for _, line in _lines(text)) or any(hashes for _, hashes in asked)
    if needs_hashes:  # what the image has was checked when it was built, and is no file of the index any more
        here = _here(packages)
        asked = [(found, hashes) for found, hashes in asked if _lack(found, here)]
    lines = {" ".join([f"{_plain_name(found)}{found.specifier}", *hashes]) for found, hashes in asked}
    if needs_hashes:
        lines.add(_REQUIRE_HASHES)
    return "".join(f"{line}\n" for line in sorted(lines))


def _read(path: Path) -> str:
    if not path.exists():
        return ""
    if path.is_dir() or path.stat().st_size > _MAX_BYTES:
        raise BadSource(f"{NAME} is no file of at most {_MAX_BYTES >> 10} KiB. List what run.py imports, one a line.")
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadSource(f"{NAME} is not UTF-8 text. Save it as UTF-8.") from error


def _applying(text: str) -> list[tuple[Requirement, list[str]]]:
    """The requirements that hold in the job image, each with its hashes as options. Raises BadSource for a bad line."""
    found = []
    for number, line in _lines(text):
        requirement = _parse(number, line)
        if requirement is not None and _applies(requirement, number, line):
            found.append((requirement, _hashes(number, line)))
    return found


def _hashes(number: int, line: str) -> list[str]:
    """The hashes that a line names, in pip's words. Raises BadSource for what is none."""
    found = []
    for option in re.split(r"\s+(?=--)", line)[1:]:
        matched = _HASH.match(option.strip())
        if not option.startswith("--hash"):
            raise BadSource(
                f"{NAME}, line {number}: the option “{plain(option, 60)}” can't be followed here. Take it out."
            )
        if matched is None:
            raise BadSource(
                f"{NAME}, line {number}: “{plain(option, 80)}” is no hash. Write --hash=sha256: and 64 hexadecimal digits."
            )
        found.append(f"--hash={matched[1]}")
    return sorted(found)


def _plain_name(requirement: Requirement) -> str:
    extras = ",".join(sorted(requirement.extras))
    return canonicalize_name(requirement.name) + (f"[{extras}]" if extras else "")


def unmet(text: str, packages: Mapping[str, str]) -> list[str]:
    r"""The requirements in `text` that `packages` doesn't satisfy, each with what there is. Raises BadSource for a bad line.

    >>> unmet("numpy>=1.20\ntorch", {"numpy": "1.26.4"})
    ['torch']
    """
    here = _here(packages)
    return [lack for asked, _ in _applying(text) if (lack := _lack(asked, here))]


def _here(packages: Mapping[str, str]) -> dict[str, str]:
    return {canonicalize_name(name): version for name, version in packages.items()}


def _lack(asked: Requirement, here: Mapping[str, str]) -> str:
    """The requirement, and what there is instead; '' if that satisfies it."""
    name = canonicalize_name(asked.name)
    if name == _OWN and name not in here:
        return ""
    if name not in here or asked.extras:  # what an extra brings along only pip knows
        return _shown(asked)
    return "" if _satisfies(asked, here[name]) else f"{_shown(asked)} (there is {here[name]})"


def _lines(text: str) -> list[tuple[int, str]]:
    """Logical lines with their numbers: continued lines joined, comments and blanks gone (as pip reads them)."""
    logical: list[tuple[int, str]] = []
    begun, joined = 0, ""
    for number, line in enumerate([*text.splitlines(), ""], start=1):
        begun = begun or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            joined += line[:-1]
            continue
        whole = f" {joined}{line}".partition(" #")[0].strip()
        if whole:
            logical.append((begun, whole))
        begun, joined = 0, ""
    return logical


def _parse(number: int, line: str) -> Requirement | None:
    where = f"{NAME}, line {number}"
    if line.startswith(_IGNORED_OPTIONS) or line == _REQUIRE_HASHES:
        return None
    if line.startswith(("-r", "--requirement", "-c", "--constraint")):
        raise BadSource(f"{where}: other files are not read. Put all requirements into {NAME} itself.")
    if line.startswith("-"):
        raise BadSource(
            f"{where}: the option “{plain(line, 60)}” can't be followed here. Take it out, or put the package beside run.py."
        )
    try:
        requirement = Requirement(re.split(r"\s+--", line)[0])
    except (ValueError, RecursionError) as error:  # the library says so of nested and endless ones
        first = str(error).partition("\n")[0]
        raise BadSource(
            f"{where}: “{plain(line, 80)}” is no requirement ({plain(first, 120)}). "
            "Write a name and versions, such as numpy>=1.24; URLs and folders can't be installed here."
        ) from error
    if requirement.url:
        raise BadSource(
            f"{where}: {requirement.name} comes from a URL, and only the index is asked here. Put it beside run.py."
        )
    return requirement


def _applies(requirement: Requirement, number: int, line: str) -> bool:
    """Whether the requirement's marker is true in the job image."""
    if requirement.marker is None:
        return True
    try:
        return requirement.marker.evaluate({**_MARKERS, "platform_machine": platform.machine()})
    except (UndefinedEnvironmentName, ValueError, RecursionError) as error:
        raise BadSource(
            f"{NAME}, line {number}: the condition in “{plain(line, 80)}” can't be decided ({plain(str(error), 120)})."
        ) from error


def _satisfies(requirement: Requirement, version: str) -> bool:
    try:
        return requirement.specifier.contains(Version(version), prereleases=True)
    except ValueError:
        return not requirement.specifier


def _shown(requirement: Requirement) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    return plain(f"{requirement.name}{extras}{requirement.specifier}", 80)
