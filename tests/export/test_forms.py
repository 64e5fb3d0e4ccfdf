"""Each form is read back: csv with Python's own reader, Minari by Minari, LeRobot by its loader or by its documented layout."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.export import csv_form, episodes, lerobot_form, minari_form, schema
from appliance.export.episodes import Episode
from tests.export import bundles


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Episode]:
    folder = tmp_path_factory.mktemp("jobs")
    jobs = [episodes.read(bundles.bundle(folder, lengths, seed)) for seed, lengths in ((1, (12, 30)), (2, (7,)))]
    return [episode for job in jobs for episode in job.episodes]


def test_csv_reads_back_as_it_was(recorded: Sequence[Episode], tmp_path: Path) -> None:
    csv_form.write(tmp_path / "all.csv", recorded)
    with (tmp_path / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == schema.NAMES
    assert [int(row["episode"]) for row in rows] == [0] * 12 + [1] * 30 + [2] * 7
    for name in ("received_s", "cos_angle", "action", "reward", "counts"):
        written = np.concatenate([each.columns[name] for each in recorded])
        assert np.array_equal(np.array([float(row[name]) for row in rows]), written)
    assert {row["truncated"] for row in rows} == {"0", "1"}
    assert {row["seed"] for row in rows} == {""}


def test_minari_reads_back_what_was_recorded(
    recorded: Sequence[Episode], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minari = pytest.importorskip("minari")
    minari_form.write(tmp_path / "all", recorded)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "all"))
    found = minari.load_dataset(minari_form.DATASET)
    assert (found.total_episodes, found.total_steps) == (3, 49)
    for read, wrote in zip(found.iterate_episodes(), recorded, strict=True):
        assert np.array_equal(read.observations, wrote.observations.astype(np.float32))
        assert read.actions[:, 0] == pytest.approx(wrote.clipped_actions)
        assert all(found.action_space.contains(action) for action in read.actions)
        assert np.array_equal(read.rewards, wrote.columns["reward"])
        assert np.array_equal(read.truncations, wrote.columns["truncated"])
        assert not read.terminations.any()
        assert np.array_equal(read.infos["skipped"][1:], wrote.columns["skipped"])
        assert np.array_equal(read.infos["action"][1:], wrote.columns["action"])
    told = list(found.storage.get_episode_metadata([0, 2]))
    assert [(each["job"], each["parameter_hash"]) for each in told] == [
        (recorded[place].job, recorded[place].parameter_hash) for place in (0, 2)
    ]
    assert found.recover_environment().observation_space == found.observation_space


@pytest.fixture
def data_set(recorded: Sequence[Episode], tmp_path: Path) -> Path:
    pytest.importorskip("pyarrow")
    lerobot_form.write(tmp_path / "set", recorded)
    return tmp_path / "set"


def described(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "meta" / "info.json").read_text())
    return found


def test_lerobot_frames_stand_where_the_description_says_with_its_types(
    recorded: Sequence[Episode], data_set: Path
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    info = described(data_set)
    assert (info["codebase_version"], info["fps"], info["total_episodes"], info["total_frames"]) == ("v3.0", 20, 3, 49)
    file = parquet.ParquetFile(data_set / info["data_path"].format(chunk_index=0, file_index=0))
    frames = file.read()
    assert file.num_row_groups == 3
    assert frames.schema.names == list(info["features"])
    for name, feature in info["features"].items():
        kind, (size,) = frames.schema.field(name).type, feature["shape"]
        written = str(kind.value_type if size > 1 else kind)
        assert {"float": "float32", "double": "float64"}.get(written, written) == feature["dtype"]
    assert frames["index"].to_pylist() == list(range(49))
    states = np.array(frames["observation.state"].to_pylist())
    assert states == pytest.approx(np.concatenate([each.observations[:-1] for each in recorded]), abs=1e-6)
    assert frames["timestamp"].to_numpy()[12:15] == pytest.approx([0.0, 0.05, 0.1])


def test_lerobot_episodes_say_where_their_frames_are_and_whence_they_come(
    recorded: Sequence[Episode], data_set: Path
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = parquet.read_table(data_set / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    assert [(row["dataset_from_index"], row["dataset_to_index"], row["length"]) for row in rows] == [
        (0, 12, 12), (12, 42, 30), (42, 49, 7),
    ]  # fmt: skip
    assert [row["raas/job"] for row in rows] == [each.job for each in recorded]
    assert rows[1]["stats/next.reward/mean"] == pytest.approx([recorded[1].columns["reward"].mean()])
    stats = json.loads((data_set / "meta" / "stats.json").read_text())
    assert stats.keys() == described(data_set)["features"].keys()
    assert stats["action"]["max"][0] <= 2.0
    assert stats["action"]["count"] == [49]
    tasks = parquet.read_table(data_set / "meta" / "tasks.parquet")
    assert json.loads(tasks.schema.metadata[b"pandas"])["index_columns"] == ["task"]
    assert set(rows[0]["tasks"]) <= set(tasks["task"].to_pylist())


def test_lerobots_own_loader_reads_it(recorded: Sequence[Episode], data_set: Path) -> None:
    loader = pytest.importorskip("lerobot.datasets.lerobot_dataset", reason="lerobot isn't installed")
    found = loader.LeRobotDataset("local/raas", root=data_set)
    assert (len(found), found.num_episodes, found.fps) == (49, 3, 20)
    assert found[12]["action"].item() == pytest.approx(recorded[1].clipped_actions[0])
    assert found[12]["task"] == "Swing the pendulum up and hold it upright."
    ahead = loader.LeRobotDataset("local/raas", root=data_set, episodes=[1], delta_timestamps={"action": [0.0, 0.05]})
    assert ahead[0]["action"].flatten().tolist() == pytest.approx(recorded[1].clipped_actions[:2].tolist())
