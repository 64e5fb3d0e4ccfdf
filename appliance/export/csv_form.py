"""How do episodes become one CSV file? A line for each step, with all columns of the schema."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from appliance.export import schema
from appliance.export.episodes import Episode


def write(target: Path, episodes: Sequence[Episode]) -> None:
    """Write all steps. Raises OSError."""
    with target.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(schema.NAMES)
        for number, episode in enumerate(episodes):
            same = {"job": episode.job, "episode": number, "parameter_hash": episode.parameter_hash}
            same["seed"] = "" if episode.seed is None else episode.seed
            listed = {name: _cells(column.tolist()) for name, column in episode.columns.items()}
            for step in range(len(episode)):
                lines.writerow([same[name] if name in same else listed[name][step] for name in schema.NAMES])


def _cells(values: list[object]) -> list[object]:
    """Truths as 0 and 1; other numbers as Python writes them, so that they read back the same."""
    return [int(value) if isinstance(value, bool) else value for value in values]
