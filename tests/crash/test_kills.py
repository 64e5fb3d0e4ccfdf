"""SIGKILL to runner, web server, guard and engine at random moments: no job is lost, no bundle broken, nothing left over."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.engine import connect
from image_build.job_image import ensure_job_image
from tests.appliance_process import running_appliance
from tests.crash.storm import Storm
from tests.second_engine import SecondEngine, second_engine

CONFIG = "name: storm\njob: {limit_s: 20, grace_s: 1}\nstorage: {clear_above_percent: 100}\n"
#: Another storm than last time, and the same one again with RAAS_STORM_SEED.
SEED = int(os.environ.get("RAAS_STORM_SEED", "0")) or int.from_bytes(os.urandom(3), "big")

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs an engine of its own, so root")


@pytest.fixture
def engine() -> Iterator[SecondEngine]:
    with second_engine() as started:
        client = connect(started.host)
        assert client is not None
        ensure_job_image(client)
        client.close()
        yield started


def weather(folder: Path, engine: SecondEngine, kills: int, calm_s: float) -> None:
    print(f"RAAS_STORM_SEED={SEED}")
    with running_appliance(folder, CONFIG, environment={"DOCKER_HOST": engine.host}) as appliance:
        storm = Storm(appliance, engine, SEED)
        storm.rage(kills)
        storm.calm_down(calm_s)
        print(
            f"{sum(storm.kills.values())} kills {dict(storm.kills)}, {len(storm.accepted)} jobs, {storm.faults} faults cleared"
        )
        assert storm.problems() == [], storm.trace()
        storm.store.close()
    assert storm.left_over() == []


@pytest.mark.timeout(600)
def test_eight_kills_lose_nothing(tmp_path: Path, engine: SecondEngine) -> None:
    weather(tmp_path / "data", engine, 8, 180.0)


@pytest.mark.chaos
@pytest.mark.timeout(7200)
def test_five_hundred_kills_lose_nothing(tmp_path: Path, engine: SecondEngine) -> None:
    weather(tmp_path / "data", engine, 500, 900.0)
