"""How do episodes become a LeRobotDataset? Parquet files and their description in the layout of version 3.0.

Source of the layout: lerobot's documentation of LeRobotDataset v3.0 and its loader, which is asked in a test where it is
installed. A frame is a step: state and action are those of its beginning; what follows from them stands under `next`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from appliance.export import extra, schema
from appliance.export.episodes import Array, Episode
from gym_raas import task

FORM: Final = "lerobot"
_VERSION: Final = "v3.0"
_FPS: Final = round(1.0 / task.DT_S)
_TASK: Final = "Swing the pendulum up and hold it upright."
_DATA: Final = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
_FIRST: Final = {"chunk_index": 0, "file_index": 0}
_EPISODES: Final = "meta/episodes/chunk-000/file-000.parquet"
_QUANTILES: Final = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}


class Feature(NamedTuple):
    """What a frame holds under a name: numpy's name of the type, and from which columns of the schema it comes."""

    type: str
    columns: tuple[str, ...]


#: The step's own; those that LeRobot counts and times itself come behind.
FEATURES: Final = {
    "observation.state": Feature("float32", schema.OBSERVATION),
    "action": Feature("float32", ("clipped_action",)),
    "next.state": Feature("float32", schema.NEXT_OBSERVATION),
    "next.reward": Feature("float32", ("reward",)),
    "next.done": Feature("bool", ("done",)),
    "next.terminated": Feature("bool", ("terminated",)),
    "next.truncated": Feature("bool", ("truncated",)),
    "raw.counts": Feature("int64", ("counts",)),
    "raw.next_counts": Feature("int64", ("next_counts",)),
    "raw.action": Feature("float64", ("action",)),
    "raw.applied_duty": Feature("float32", ("applied_duty",)),
    "raw.k": Feature("int64", ("k",)),
    "raw.skipped": Feature("int64", ("skipped",)),
    "raw.flags": Feature("int64", ("flags",)),
    "raw.received_s": Feature("float64", ("received_s",)),
    "raw.acted_s": Feature("float64", ("acted_s",)),
    "raw.sample_s": Feature("float64", ("sample_s",)),
}
_COUNTED: Final = {
    "timestamp": Feature("float32", ("timestamp",)),
    "frame_index": Feature("int64", ("frame_index",)),
    "episode_index": Feature("int64", ("episode_index",)),
    "index": Feature("int64", ("index",)),
    "task_index": Feature("int64", ("task_index",)),
}
Frames = dict[str, Array]


def write(target: Path, episodes: Sequence[Episode]) -> None:
    """Write the data set into the folder `target`, which is made. Raises OSError, MissingPackage."""
    arrow, parquet = extra.needed("pyarrow", FORM), extra.needed("pyarrow.parquet", FORM)
    ends = np.cumsum([0, *map(len, episodes)]).tolist()
    frames = [_frames(number, ends[number], episode) for number, episode in enumerate(episodes)]
    data = target / _DATA.format(**_FIRST)
    for folder in (data.parent, (target / _EPISODES).parent):
        folder.mkdir(parents=True)
    tables = [arrow.table({name: _arrow(arrow, column) for name, column in each.items()}) for each in frames]
    with parquet.ParquetWriter(data, tables[0].schema) as writer:
        for table in tables:  # one row group each, so that one episode can be read alone
            writer.write_table(table)
    rows = [_row(number, ends[number], episode, frames[number]) for number, episode in enumerate(episodes)]
    parquet.write_table(arrow.Table.from_pylist(rows), target / _EPISODES)
    parquet.write_table(_tasks(arrow), target / "meta" / "tasks.parquet")
    everything = {name: np.concatenate([each[name] for each in frames]) for name in frames[0]}
    _write_json(target / "meta" / "stats.json", {name: _statistics(column) for name, column in everything.items()})
    _write_json(target / "meta" / "info.json", _info(episodes, ends[-1]))


def _frames(number: int, first: int, episode: Episode) -> Frames:
    """The columns of an episode's frames, of shape (N,) or (N, parts)."""
    steps = np.arange(len(episode))
    known = episode.columns | {
        "clipped_action": episode.clipped_actions,
        "done": episode.columns["terminated"].astype(np.bool_) | episode.columns["truncated"].astype(np.bool_),
        "timestamp": steps / _FPS,
        "frame_index": steps,
        "episode_index": np.full(len(episode), number),
        "index": first + steps,
        "task_index": np.zeros(len(episode)),
    }
    found = {}
    for name, feature in (FEATURES | _COUNTED).items():
        parts = [known[column].astype(feature.type) for column in feature.columns]
        found[name] = parts[0] if len(parts) == 1 else np.stack(parts, axis=1)
    return found


def _arrow(arrow: Any, column: Array) -> Any:
    if column.ndim == 1:
        return arrow.array(column)
    return arrow.FixedSizeListArray.from_arrays(arrow.array(column.reshape(-1)), column.shape[1])


def _row(number: int, first: int, episode: Episode, frames: Frames) -> dict[str, Any]:
    """An episode's line: where its frames are, which job it comes from, and its statistics."""
    row: dict[str, Any] = {
        "episode_index": number,
        "tasks": [_TASK],
        "length": len(episode),
        "dataset_from_index": first,
        "dataset_to_index": first + len(episode),
        **{f"{part}/{name}": place for part in ("data", "meta/episodes") for name, place in _FIRST.items()},
        "raas/job": episode.job,
        "raas/parameter_hash": episode.parameter_hash,
        "raas/seed": -1 if episode.seed is None else episode.seed,
    }
    for name, column in frames.items():
        row |= {f"stats/{name}/{kind}": value for kind, value in _statistics(column).items()}
    return row


def _statistics(column: Array) -> dict[str, list[float]]:
    """What learners normalise by, for each part of a feature."""
    numbers = column.astype(np.float64).reshape(len(column), -1)
    found = {
        "min": numbers.min(axis=0),
        "max": numbers.max(axis=0),
        "mean": numbers.mean(axis=0),
        "std": numbers.std(axis=0),
        **{name: np.quantile(numbers, share, axis=0) for name, share in _QUANTILES.items()},
    }
    return {**{name: values.tolist() for name, values in found.items()}, "count": [len(column)]}


def _tasks(arrow: Any) -> Any:
    """The table of tasks, whose index is the task's text: LeRobot reads it with pandas."""
    kinds = (("task_index", "int64", "int64"), ("task", "unicode", "object"))
    columns = [
        {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": numpy, "metadata": None}
        for name, kind, numpy in kinds
    ]
    told = {"index_columns": ["task"], "column_indexes": [], "columns": columns, "pandas_version": "2.0"}
    table = arrow.table({"task_index": arrow.array([0], arrow.int64()), "task": arrow.array([_TASK])})
    return table.replace_schema_metadata({"pandas": json.dumps(told)})


def _info(episodes: Sequence[Episode], frames: int) -> dict[str, Any]:
    features = {
        name: {
            "dtype": feature.type,
            "shape": [len(feature.columns)],
            "names": list(feature.columns) if name in FEATURES else None,
        }
        for name, feature in (FEATURES | _COUNTED).items()
    }
    return {
        "codebase_version": _VERSION,
        "robot_type": "raaspendulum",
        "total_episodes": len(episodes),
        "total_frames": frames,
        "total_tasks": 1,
        "chunks_size": 1000,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": _FPS,
        "splits": {"train": f"0:{len(episodes)}"},
        "data_path": _DATA,
        "video_path": None,
        "features": features,
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
