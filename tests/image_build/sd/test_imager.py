"""Raspberry Pi Imager gets a list that it can read, with sizes and digests of the very files."""

from __future__ import annotations

import json

import pytest

from image_build.sd.imager import Built, repository

IMAGE = Built("Robot", "A lab", "raas.img.zst", "2025-01-01", 3_225_419_776, "a" * 64, 300_000_000, "b" * 64)


def test_an_entry_has_what_imager_asks_for() -> None:
    (entry,) = json.loads(json.dumps(repository([IMAGE], "https://example.org/images/")))["os_list"]
    assert entry["url"] == "https://example.org/images/raas.img.zst"
    assert (entry["extract_size"], entry["extract_sha256"]) == (3_225_419_776, "a" * 64)
    assert (entry["image_download_size"], entry["image_download_sha256"]) == (300_000_000, "b" * 64)
    assert entry["init_format"] == "rpi-preseed"
    assert entry["devices"] == ["pi4-64bit", "pi3-64bit"]


def test_an_address_that_imager_cannot_fetch_from_is_refused() -> None:
    with pytest.raises(ValueError, match="give one like"):
        repository([IMAGE], "images/")
