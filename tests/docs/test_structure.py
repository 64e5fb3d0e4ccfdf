"""The pictures of ARCHITECTURE.md show the house as it is: `make pictures` draws them anew."""

from __future__ import annotations

import re

import pytest

from docs import structure
from tests.docs.test_architecture import NAMES, TEXT, exists, table


@pytest.mark.parametrize("name", structure.PICTURES)
def test_a_picture_was_drawn_from_what_is_there(name: str) -> None:
    drawn = (structure.FOLDER / f"{name}.svg").read_text()
    assert structure.mark(structure.PICTURES[name]()) in drawn, "stale: run `python -m docs.structure`"
    assert f"docs/structure/{name}.svg" in TEXT


def test_every_process_and_nothing_else_speaks() -> None:
    known = {row[0].partition(",")[0].strip("`") for row in table("Processes")} | {"job"}
    assert {name for one, other, _ in structure.SPEAKS for name in (one, other)} == known


def test_the_rooms_use_one_another_in_one_direction() -> None:
    arrows = re.findall(r'"([^"]+)" -> "([^"]+)"', structure.rooms())
    left = {room for arrow in arrows for room in arrow}
    while left:
        lowest = {room for room in left if not any(one == room and other in left for one, other in arrows)}
        assert lowest, f"a circle among {sorted(left)}"
        left -= lowest


def test_the_way_of_an_action_leads_through_modules_that_the_text_names() -> None:
    for step in (step for _, steps in structure.ACTION for step in steps):
        assert exists(step), step
        assert any(name == step or name.startswith(step + ".") for name in NAMES), step
