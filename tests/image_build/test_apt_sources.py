"""An image gets its packages from the machine's own mirror, and from nobody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from image_build import apt_sources
from image_build.process import BuildError

DEB822 = """\
Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian.gpg

Types: deb
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main contrib

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm

Types: deb-src
URIs: http://mirror.example/debian
Suites: bookworm
"""
ONE_LINE = """\
deb http://mirror.example/debian bookworm main  # the old way
deb [arch=amd64 signed-by=/etc/keys/x.gpg] https://other.example/x bookworm main extra
deb https://third-party.example/apt stable main
# deb http://off.example/debian bookworm main
deb-src http://mirror.example/debian bookworm main
"""


def test_stanzas_become_lines() -> None:
    signed = "deb [signed-by=/usr/share/keyrings/debian.gpg] http://mirror.example/debian"
    assert apt_sources.for_suite("bookworm", "bookworm", {Path("debian.sources"): DEB822}).splitlines() == [
        f"{signed} bookworm main",
        f"{signed} bookworm-updates main",
        "deb http://mirror.example/security bookworm-security main contrib",
    ]


def test_third_parties_are_left_out() -> None:
    assert apt_sources.for_suite("bookworm", "bookworm", {Path("sources.list"): ONE_LINE}).splitlines() == [
        "deb http://mirror.example/debian bookworm main",
        "deb [signed-by=/etc/keys/x.gpg] https://other.example/x bookworm main extra",
    ]


def test_another_release_comes_from_the_same_mirror() -> None:
    lines = apt_sources.for_suite("trixie", "bookworm", {Path("debian.sources"): DEB822}).splitlines()
    assert lines[-1] == "deb http://mirror.example/security trixie-security main contrib"


def test_no_source_at_all_is_an_error() -> None:
    with pytest.raises(BuildError, match="No package source of bookworm is configured"):
        apt_sources.for_suite("bookworm", "bookworm", {Path("sources.list"): "# nothing\n"})


@pytest.mark.parametrize(
    ("text", "name"),
    [("VERSION_CODENAME=bookworm\n", "bookworm"), ('ID=x\nVERSION_CODENAME="trixie"\n', "trixie"), ("ID=arch\n", "")],
)
def test_the_release_is_read_from_os_release(text: str, name: str) -> None:
    assert apt_sources.codename(text) == name


def test_the_machines_files_are_found(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    for name in ("sources.list", "sources.list.d/a.sources", "sources.list.d/b.list", "sources.list.d/c.disabled"):
        (tmp_path / name).write_text(name)
    assert [path.name for path in apt_sources.read(tmp_path)] == ["sources.list", "b.list", "a.sources"]
