"""A change of one input makes anew what stands on it, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from image_build.sd.debian import DEBIAN
from image_build.sd.flavour import Flavour
from image_build.sd.plan import Inputs, Plan, plan, summary
from image_build.sd.raspberrypi import RASPBERRYPI

INPUTS = Inputs(lock=b"lock", sources=b"code", services=b"units", job_image=b"job", code=b"build")


def changed(before: Plan, after: Plan) -> set[str]:
    return {old.name for old, new in zip(before.steps, after.steps, strict=True) if old.key != new.key}


def test_the_same_inputs_give_the_same_plan() -> None:
    assert plan(DEBIAN, INPUTS) == plan(DEBIAN, INPUTS)


@pytest.mark.parametrize(
    ("inputs", "steps"),
    [
        (replace(INPUTS, sources=b"new"), {"tree", "image"}),
        (replace(INPUTS, services=b"new"), {"tree", "image"}),
        (replace(INPUTS, lock=b"new"), {"python", "tree", "image"}),
        (replace(INPUTS, job_image=b"new"), {"job-image", "tree", "image"}),
    ],
)
def test_a_change_rebuilds_what_stands_on_it(inputs: Inputs, steps: set[str]) -> None:
    assert changed(plan(DEBIAN, INPUTS), plan(DEBIAN, inputs)) == steps


@pytest.mark.parametrize(
    ("flavour", "steps"),
    [
        (replace(DEBIAN, packages=(*DEBIAN.packages, "vim")), {"packages", "tree", "image"}),
        (replace(DEBIAN, kernel_words=(*DEBIAN.kernel_words, "x")), {"packages", "tree", "image"}),
        (replace(DEBIAN, robot_link="pigpiod"), {"tree", "image"}),
    ],
)
def test_a_change_of_the_flavour_rebuilds_what_stands_on_it(flavour: Flavour, steps: set[str]) -> None:
    assert changed(plan(DEBIAN, INPUTS), plan(flavour, INPUTS)) == steps


def test_the_flavours_share_what_does_not_differ() -> None:
    assert changed(plan(DEBIAN, INPUTS), plan(RASPBERRYPI, INPUTS)) == {"packages", "tree", "image"}


def test_moved_bytes_between_inputs_are_another_plan() -> None:
    one, two = replace(INPUTS, sources=b"ab", services=b"c"), replace(INPUTS, sources=b"a", services=b"bc")
    assert plan(DEBIAN, one) != plan(DEBIAN, two)


def test_the_summary_names_everything_that_a_person_would_check() -> None:
    shown = summary(plan(RASPBERRYPI, INPUTS))
    assert shown["robot"] == "pigpiod"
    assert shown["partitions"] == {
        "boot": [4, 512], "root-a": [516, 2560], "root-b": [3076, 2560], "data": [5636, "rest"],
    }  # fmt: skip
