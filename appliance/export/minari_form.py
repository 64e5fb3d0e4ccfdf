"""How do episodes become a Minari data set? By Minari's own storage, as Parquet, in a folder for MINARI_DATASETS_PATH."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import gymnasium
import numpy as np

import gym_raas  # noqa: F401 - makes the environment known, so that the data set can name it
from appliance.export import extra
from appliance.export.episodes import Array, Episode
from gym_raas.registration import ids

FORM: Final = "minari"
DATASET: Final = "raaspendulum/recorded-v0"
#: What the episodes tell beyond Minari's own fields: one value for each step, and an empty one for the reset before.
INFOS: Final = (
    "k", "received_s", "acted_s", "sample_s", "counts", "next_counts", "action", "applied_duty", "skipped", "flags",
)  # fmt: skip


def write(target: Path, episodes: Sequence[Episode]) -> None:
    """Write the data set DATASET below the folder `target`. Raises OSError, MissingPackage."""
    storage_module = extra.needed("minari.dataset.minari_storage", FORM)
    buffers = extra.needed("minari.data_collector.episode_buffer", FORM)
    extra.needed("minari.dataset._storages.arrow_storage", FORM)  # pyarrow and pillow, which minari doesn't require
    data = target / DATASET / "data"
    data.mkdir(parents=True)
    env = gymnasium.make(ids("pendulum", 1)[0])
    storage = storage_module.MinariStorage.new(
        data,
        observation_space=env.observation_space,
        action_space=_space_of(episodes),
        env_spec=env.spec,
        data_format="parquet",
    )
    storage.update_metadata(
        {
            "dataset_id": DATASET,
            "minari_version": extra.needed("minari", FORM).__version__,
            "requirements": ["gym-raas"],
            "description": "Recorded by the appliance of a pendulum; docs/data.md there tells what `infos` hold.",
        }
    )
    storage.update_episodes(_buffer(buffers.EpisodeBuffer, number, each) for number, each in enumerate(episodes))
    storage.update_episode_metadata(
        [{"job": each.job, "parameter_hash": each.parameter_hash} for each in episodes], range(len(episodes))
    )


def _space_of(episodes: Sequence[Episode]) -> gymnasium.spaces.Box:
    limit = max(episode.action_limit for episode in episodes)
    return gymnasium.spaces.Box(-limit, limit, (1,), np.float32)


def _buffer(kind: Any, number: int, episode: Episode) -> Any:
    columns = episode.columns
    return kind(
        id=number,
        seed=episode.seed,
        observations=episode.observations.astype(np.float32),
        actions=episode.clipped_actions.astype(np.float32)[:, None],
        rewards=columns["reward"],
        terminations=columns["terminated"],
        truncations=columns["truncated"],
        infos={name: _after_reset(columns[name]) for name in INFOS},
    )


def _after_reset(column: Array) -> list[object]:
    """As a list: Minari's storage can't read back an array of scalars."""
    return [np.zeros(1, column.dtype).item(), *column.tolist()]
