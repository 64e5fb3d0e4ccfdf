"""A whole appliance, saved while it runs: a fresh one shows its jobs, hands out their data, and works."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from appliance.care import foreground
from tests.appliance_process import REPOSITORY, Appliance, running_appliance
from tests.patience import eventually

RUN = """
import gym, gym_raas
env = gym.make('raaspendulum-v0')
env.reset()
for _ in range(3):
    env.step([0.5])
env.close()
print('swung')
"""
CONFIG = "name: from the backup\nstorage: {min_free_mb: 1}\n"


def raas(appliance: Appliance, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = appliance.paths
    command = [
        sys.executable,
        "-m",
        "appliance.cli",
        "--data",
        str(paths.data),
        "--runtime-root",
        str(paths.runtime.parent),
    ]
    return subprocess.run([*command, *arguments], cwd=REPOSITORY, capture_output=True, text=True, timeout=120)


@pytest.mark.timeout(300)
def test_the_old_jobs_are_back_on_a_fresh_appliance(tmp_path: Path) -> None:
    backup, before = tmp_path / "raas.tar", tmp_path / "before.csv"
    with running_appliance(tmp_path / "old", CONFIG) as old:
        job = old.finished(old.submit({"run.py": RUN}, name="kept").id)
        assert job.state == "succeeded"
        old.client.download(job.id, "steps.csv", before)
        diagnosis = json.loads(raas(old, "doctor", "--json").stdout)
        rows = {row["check"]: row for row in diagnosis["findings"]}
        assert all(
            rows[name]["verdict"] == "ok" for name in ("twin", "motor loop", "motor's pins", "engine", "jobs", "page")
        )
        assert "the loop has it" in rows["timers"]["found"]
        eventually(lambda: foreground.processes(old.paths), 10.0, "the list of processes")
        pids = {process.name: process.pid for process in foreground.processes(old.paths) or ()}
        assert raas(old, "services", "restart", "runner").returncode == 0
        eventually(lambda: _pid(old, "runner") not in (0, pids["runner"]), 30.0, "another runner")
        waiting = old.submit({"run.py": RUN}, name="after the restart")
        saved = raas(old, "backup", str(backup))
        assert saved.returncode == 0, saved.stderr
        assert "Stop it first" in raas(old, "restore", str(backup), "--replace").stderr
        assert old.finished(waiting.id).state == "succeeded"
    command = [sys.executable, "-m", "appliance.cli", "--data", str(tmp_path / "new"), "restore", str(backup)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, timeout=60)
    with running_appliance(tmp_path / "new") as new:
        assert new.client.robot().name == "from the backup"
        assert new.client.job(job.id).state == "succeeded"
        new.client.download(job.id, "steps.csv", tmp_path / "after.csv")
        assert (tmp_path / "after.csv").read_bytes() == before.read_bytes()
        assert "swung" in new.log(job.id)
        assert new.finished(waiting.id).state == "succeeded"


def _pid(appliance: Appliance, name: str) -> int:
    return next((process.pid for process in foreground.processes(appliance.paths) or () if process.name == name), 0)
