"""docs/data.md tells the schema and the forms as they are written."""

from __future__ import annotations

import re
from pathlib import Path

from appliance.export import lerobot_form, minari_form, schema

PAGE = (Path(__file__).parents[2] / "docs/data.md").read_text()


def table(title: str) -> list[list[str]]:
    """The rows of the table whose first heading is this."""
    found = re.search(rf"^\| {title} .*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    assert found, title
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in found[1].splitlines()]


def test_every_column_is_told_as_it_is() -> None:
    assert table("column") == [[f"`{c.name}`", c.type, c.unit, c.means] for c in schema.COLUMNS]


def test_every_lerobot_feature_is_told_with_its_columns() -> None:
    told = {row[0]: (row[1], tuple(re.findall(r"`(\w+)`", row[2]))) for row in table("feature")}
    assert told == {f"`{name}`": tuple(feature) for name, feature in lerobot_form.FEATURES.items()}


def test_what_minari_holds_beside_its_own_is_told() -> None:
    infos = re.search(r"is empty\):\s(.*?)\. Job", PAGE, re.DOTALL)
    assert infos
    assert tuple(re.findall(r"`(\w+)`", infos[1])) == minari_form.INFOS
    assert f'"{minari_form.DATASET}"' in PAGE
