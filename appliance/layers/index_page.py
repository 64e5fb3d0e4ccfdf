"""Which wheels does a page of a package index offer? Reads both forms of the simple repository API, writes one. Pure.

The forms: HTML (PEP 503) and JSON (PEP 691). What is written is JSON, with addresses of our own, and wheels only.
"""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import quote, unquote, urldefrag, urljoin, urlsplit

import msgspec
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

JSON: Final = "application/vnd.pypi.simple.v1+json"
#: What an index is asked for; old ones know HTML only.
ACCEPT: Final = f"{JSON}, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


@dataclass(frozen=True)
class Wheel:
    """One file. metadata: whether the index serves its METADATA beside it (PEP 658). yanked: False, or why."""

    name: str
    url: str
    hashes: dict[str, str]
    requires_python: str | None = None
    yanked: bool | str = False
    metadata: bool | dict[str, str] = False

    @property
    def project(self) -> str:
        """The normalised name of what it contains."""
        return str(parse_wheel_filename(self.name)[0])


def read(content: bytes, content_type: str, url: str) -> list[Wheel]:
    """The wheels on the page that stood at `url`. Raises ValueError for what is no index page."""
    if content_type.partition(";")[0].strip().lower().endswith("json"):
        return _read_json(content, url)
    anchors = _Anchors(url)
    anchors.feed(content.decode(errors="replace"))
    return [wheel for href, attributes in anchors.found if (wheel := _from_anchor(href, attributes)) is not None]


def write(project: str, wheels: list[tuple[int, Wheel]]) -> bytes:
    """Our own page of a project; each wheel's address is made of its number."""
    files = [
        {
            "filename": wheel.name,
            "url": f"/file/{number}/{quote(wheel.name)}",
            "hashes": wheel.hashes,
            "yanked": wheel.yanked,
            "core-metadata": wheel.metadata,
        }
        | ({"requires-python": wheel.requires_python} if wheel.requires_python else {})
        for number, wheel in wheels
    ]
    return msgspec.json.encode({"meta": {"api-version": "1.0"}, "name": project, "files": files})


def is_wheel(name: str, project: str = "") -> bool:
    """Whether `name` is a wheel's file name, and of that project if one is given."""
    try:
        found = parse_wheel_filename(name)[0]
    except (InvalidWheelFilename, ValueError):
        return False
    return not project or found == canonicalize_name(project)


def _read_json(content: bytes, url: str) -> list[Wheel]:
    try:
        page = msgspec.json.decode(content, type=dict[str, Any])
        return [
            Wheel(
                file["filename"],
                urljoin(url, file["url"]),
                {str(kind): str(value) for kind, value in file.get("hashes", {}).items()},
                file.get("requires-python"),
                file.get("yanked", False),
                file.get("core-metadata", file.get("data-dist-info-metadata", False)),
            )
            for file in page.get("files", [])
            if is_wheel(file["filename"])
        ]
    except (msgspec.DecodeError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("this is no page of a package index") from error


def _from_anchor(href: str, attributes: dict[str, str | None]) -> Wheel | None:
    address, fragment = urldefrag(href)
    name = unquote(urlsplit(address).path.rpartition("/")[2])
    if not is_wheel(name):
        return None
    yanked = attributes.get("data-yanked", "") or True if "data-yanked" in attributes else False
    said = attributes.get("data-core-metadata", attributes.get("data-dist-info-metadata"))
    return Wheel(
        name, address, _hash(fragment), attributes.get("data-requires-python") or None, yanked, _metadata(said)
    )


def _metadata(said: str | None) -> bool | dict[str, str]:
    return False if not said else _hash(said) or said == "true"


def _hash(text: str) -> dict[str, str]:
    """Such as sha256=ab12."""
    kind, equals, value = text.partition("=")
    return {kind: value} if equals and kind.isalnum() and value.isalnum() else {}


class _Anchors(HTMLParser):
    """Collects what links point to."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._from = url
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called by the parser."""
        attributes = dict(attrs)
        href = attributes.get("href")
        if not href:
            return
        if tag == "base":
            self._from = urljoin(self._from, href)
        elif tag == "a":
            self.found.append((urljoin(self._from, href), attributes))
