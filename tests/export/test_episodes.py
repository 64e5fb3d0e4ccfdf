from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from appliance.calibration.recordings import BadRecording
from appliance.export import episodes, schema
from gym_raas import task
from gym_raas.kinds.known import KINDS
from gym_raas.parameters import load_robot, packaged
from tests.export import bundles

CART = packaged(KINDS["cart"]).read_bytes()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundles.bundle(tmp_path_factory.mktemp("job"), (12, 30))


def test_a_job_is_cut_at_its_resets_and_each_episode_ends_truncated(bundle: Path) -> None:
    job = episodes.read(bundle)
    assert (job.id, [len(each) for each in job.episodes]) == (bundles.JOB.id, [12, 30])
    for each in job.episodes:
        assert each.columns["truncated"].tolist() == [False] * (len(each) - 1) + [True]
        assert not each.columns["terminated"].any()
        assert (each.parameter_hash, each.seed) == (load_robot().parameter_hash, None)


def test_every_column_of_the_schema_is_there_with_its_type(bundle: Path) -> None:
    (episode, _) = episodes.read(bundle).episodes
    same = {"job", "episode", "seed", "parameter_hash"}
    assert {column.name: column.type for column in schema.COLUMNS if column.name not in same} == {
        name: column.dtype.name for name, column in episode.columns.items()
    }


def test_the_reward_follows_from_what_was_seen_before_and_the_clipped_action(bundle: Path) -> None:
    for episode in episodes.read(bundle).episodes:
        for seen, action, reward in zip(
            episode.observations[:-1], episode.clipped_actions, episode.columns["reward"], strict=True
        ):
            angle = math.atan2(seen[1], seen[0])
            assert reward == pytest.approx(-task.cost(angle, seen[2], action), abs=1e-5)


def test_raw_counts_lead_from_step_to_step_and_skipped_boundaries_are_counted(bundle: Path) -> None:
    for episode in episodes.read(bundle).episodes:
        assert np.array_equal(episode.columns["counts"][1:], episode.columns["next_counts"][:-1])
        assert np.array_equal(np.diff(episode.columns["k"]), 1 + episode.columns["skipped"][1:])
        assert episode.columns["skipped"].sum() == len(episode) // 5
        angles = math.pi + episode.columns["next_counts"] * load_robot().encoder.rad_per_count
        assert np.cos(angles) == pytest.approx(episode.columns["next_cos_angle"], abs=1e-6)


def test_the_duty_is_what_reached_the_bridge(bundle: Path) -> None:
    (episode, _) = episodes.read(bundle).episodes
    robot = load_robot()
    wanted = episode.clipped_actions * robot.pwm.command_per_action / robot.pwm.range
    assert np.abs(episode.columns["action"]).max() > robot.limits.action
    assert np.abs(episode.columns["applied_duty"] - wanted).max() <= 1 / 25  # the steps of PWM at 8 kHz


def changed(bundle: Path, target: Path, name: str, change: Callable[[bytes], bytes | None]) -> Path:
    """The bundle with one file otherwise, or without it."""
    with zipfile.ZipFile(bundle) as source, zipfile.ZipFile(target, "w") as archive:
        for each in source.namelist():
            content = source.read(each)
            after = change(content) if each.endswith(name) else content
            if after is not None:
                archive.writestr(each, after)
    return target


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("steps.csv", lambda raw: raw.split(b"\n")[0] + b"\n", "made no step"),
        ("steps.csv", lambda raw: None, "no steps.csv of a sensible size"),
        ("steps.csv", lambda raw: raw.replace(b"cost", b"gain"), "is no bundle"),
        ("steps.csv", lambda raw: raw.replace(b",0,0\n", b",nan,0\n"), "a number that can't be"),
        ("steps.csv", lambda raw: raw.replace(b",0,0\n", b",1e300,0\n"), "a number that can't be"),
        ("steps.csv", lambda raw: raw[: len(raw) // 2], "is no bundle"),
        ("steps.csv", lambda raw: b"\xff" + raw, "is no bundle"),
        ("trace.npz", lambda raw: raw[:100], "is no bundle"),
        ("trace.npz", lambda raw: None, "no trace.npz"),
        ("robot.yaml", lambda raw: b"schema: 9", "is no bundle"),
        ("robot.yaml", lambda raw: CART, "a robot of kind 'cart'"),
        ("report.json", lambda raw: b"{}", "is no bundle"),
        ("report.json", lambda raw: b"[[[", "is no bundle"),
    ],
)
def test_a_bundle_that_was_tampered_with_is_refused(
    bundle: Path, tmp_path: Path, name: str, change: Callable[[bytes], bytes | None], says: str
) -> None:
    with pytest.raises(BadRecording, match=says):
        episodes.read(changed(bundle, tmp_path / "b.zip", name, change))


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_bytes(b"PK")
    for path in (tmp_path / "b.zip", tmp_path / "nothing.zip"):
        with pytest.raises(BadRecording, match="is no bundle"):
            episodes.read(path)
