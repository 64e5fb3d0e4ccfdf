"""A card image belongs to a release if it was built from these very sources, and to no other."""

from __future__ import annotations

from pathlib import Path

from image_build import release, sd_image


def test_only_the_image_of_the_present_sources_gets_in(tmp_path: Path) -> None:
    cache, made = tmp_path / "cache", tmp_path / "made"
    made.mkdir()
    for name, text in ((sd_image.plan_of(sd_image.DEBIAN).steps[-1].output, "present"), ("image-0123", "earlier")):
        (cache / name).mkdir(parents=True)
        (cache / name / f"raas-{text}.img.zst").write_text(text)
        (cache / name / "built.json").write_text("{}")
    assert release.add_images(cache, made) == [sd_image.RASPBERRYPI.name]
    assert [path.name for path in made.iterdir()] == ["raas-present.img.zst"]
    assert release.sums(made).endswith("  raas-present.img.zst\n")


def test_without_an_image_there_is_none(tmp_path: Path) -> None:
    assert release.add_images(tmp_path / "cache", tmp_path) == list(sd_image.FLAVOURS)
    assert not list(tmp_path.iterdir())
