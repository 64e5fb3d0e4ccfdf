"""What does Raspberry Pi Imager read to offer our images? Its repository list, as pure data.

Format: the repository's JSON schema as published with Imager (doc/json-schema/os-list-schema.json).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

#: Imager's own names of the boards that the image is made for.
DEVICES: Final = ("pi4-64bit", "pi3-64bit")
#: The customisation that Imager offers: it writes rpi-preseed.toml, which the first boot reads beside raas.yaml.
INIT_FORMAT: Final = "rpi-preseed"


@dataclass(frozen=True)
class Built:
    """A finished image: sizes in bytes, digests as hexadecimal SHA-256, `date` as YYYY-MM-DD."""

    title: str
    description: str
    file: str
    date: str
    raw_bytes: int
    raw_sha256: str
    packed_bytes: int
    packed_sha256: str


def repository(images: Iterable[Built], url: str) -> Mapping[str, Any]:
    """The list for Imager's custom repository; `url` is where the image files will be. Raises ValueError."""
    if not url.startswith(("https://", "http://", "file://")):
        raise ValueError(f"{url!r} is no address that Imager can fetch from; give one like https://example.org/images")
    return {"os_list": [_entry(image, url.rstrip("/")) for image in images]}


def _entry(image: Built, url: str) -> Mapping[str, Any]:
    return {
        "name": image.title,
        "description": image.description,
        "icon": "",
        "url": f"{url}/{image.file}",
        "extract_size": image.raw_bytes,
        "extract_sha256": image.raw_sha256,
        "image_download_size": image.packed_bytes,
        "image_download_sha256": image.packed_sha256,
        "release_date": image.date,
        "init_format": INIT_FORMAT,
        "devices": list(DEVICES),
        "architecture": "armv8",
    }
