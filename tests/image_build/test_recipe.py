"""A plan builds anew what changed, and what stands on it; nothing else."""

from __future__ import annotations

import pytest

from image_build.recipe import RECIPES, Plan, Target, plan

BOOKWORM = Target("bookworm", "amd64")


def planned(lock: bytes = b"lock", gym_raas: bytes = b"code", target: Target = BOOKWORM) -> Plan:
    return plan(RECIPES["standard"], target, lock=lock, base_sources=b"", gym_raas=gym_raas, layer=b"")


def test_the_same_sources_give_the_same_tag() -> None:
    assert planned() == planned()
    assert planned().tag.startswith("raas-job:standard-")
    assert planned().tag.endswith(planned().image.key)


def test_a_change_of_gym_raas_keeps_the_base() -> None:
    before, after = planned(), planned(gym_raas=b"new code")
    assert before.base_tag == after.base_tag
    assert before.tag != after.tag


def test_a_change_of_the_lock_keeps_debians_packages() -> None:
    before, after = planned(), planned(lock=b"new lock")
    assert before.debs == after.debs
    assert before.base_tag != after.base_tag
    assert before.tag != after.tag


def test_another_release_changes_everything() -> None:
    before, after = planned(), planned(target=Target("trixie", "amd64"))
    assert {before.debs.key, before.base.key, before.image.key}.isdisjoint(
        {after.debs.key, after.base.key, after.image.key}
    )


@pytest.mark.parametrize(("suite", "architecture"), [("sarge", "amd64"), ("bookworm", "m68k")])
def test_what_nobody_tried_is_refused_with_the_choices(suite: str, architecture: str) -> None:
    with pytest.raises(ValueError, match="choose one of"):
        Target(suite, architecture)


def test_wheels_may_be_as_new_as_the_images_glibc() -> None:
    platforms = Target("bookworm", "arm64").platforms
    assert platforms[0] == "manylinux_2_36_aarch64"
    assert platforms[-2:] == ("manylinux_2_17_aarch64", "manylinux2014_aarch64")
