"""`raas up`, as `make run` calls it: starts, greets, remembers, and leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import requests

from appliance.jobs import State
from tests.appliance_process import REPOSITORY, running_appliance
from tests.patience import eventually
from tests.process_table import processes


def test_the_first_start_has_a_sample_job_and_the_second_finds_it_done(tmp_path: Path) -> None:
    with running_appliance(tmp_path, sample=True) as appliance:
        (sample,) = appliance.client.jobs().jobs
        assert sample.name == "Sample: swing-up"
        done = appliance.finished(sample.id, 90.0)
        assert (done.state, done.steps) == (State.SUCCEEDED, 400), appliance.log(sample.id)
        assert "upright for" in appliance.log(sample.id)
        greeting = " ".join(appliance.output.read_text().split())
        assert f"is ready: {appliance.url}" in greeting
    started_s = time.monotonic()
    with running_appliance(tmp_path, sample=True) as appliance:
        assert time.monotonic() - started_s < 30.0
        assert [job.id for job in appliance.client.jobs().jobs] == [sample.id]


def test_ctrl_c_in_the_middle_of_a_job_ends_everything_and_the_job_runs_again(tmp_path: Path) -> None:
    program = "import time, gym, gym_raas\nenv = gym.make('raaspendulum-v0')\nfor _ in range(60): env.step([2.0])\n"
    with running_appliance(tmp_path) as appliance:
        job = appliance.submit({"run.py": program})
        appliance.reaches(job.id, State.RUNNING)
        eventually(lambda: appliance.client.robot().command != 0.0, 20.0, "the motor is driven")
        assert appliance.stop(signal.SIGINT) == 0
    with running_appliance(tmp_path) as appliance:
        again = appliance.finished(job.id, 90.0)
        assert (again.state, again.attempt) == (State.SUCCEEDED, 2)


def test_a_killed_up_takes_its_processes_along(tmp_path: Path) -> None:
    with running_appliance(tmp_path) as appliance:
        marker = str(appliance.paths.runtime.parent)
        os.kill(appliance.process.pid, signal.SIGKILL)
        appliance.process.wait()
        eventually(lambda: not list(processes(marker)), 20.0, "no process is left")
        appliance.paths.address.unlink()
        for path in (appliance.paths.runtime, appliance.paths.shm):
            subprocess.run(["rm", "-rf", str(path)], check=True)


def test_the_command_line_does_the_main_job(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "run.py").write_text(
        "import gym, gym_raas\nenv = gym.make('raaspendulum-v0')\nenv.step([1.0])\nprint('done')\n"
    )
    with running_appliance(tmp_path / "data") as appliance:

        def raas(*words: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "appliance.cli", "--url", appliance.url, *words]
            return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=60)

        followed = raas("submit", str(project), "--follow")
        assert followed.returncode == 0, followed.stderr
        assert "done\n" in followed.stdout
        assert "succeeded" in followed.stdout
        listed = json.loads(raas("--json", "jobs").stdout)
        assert [job["name"] for job in listed] == ["project"]
        assert raas("log", "last").stdout == "done\n"
        assert raas("results", "last", "--format", "json", "-o", "result.json").returncode == 0
        assert json.loads((tmp_path / "result.json").read_text())["failed"] is False
        assert raas("job", listed[0]["id"][-6:]).returncode == 0
        assert raas("job", "ZZZZ").returncode == 2
        assert raas("stop", "--why", "test").returncode == 0
        assert requests.get(f"{appliance.url}/api/robot", timeout=5).json()["stopped"]
        assert raas("resume").returncode == 0
        assert raas("health").returncode == 0
        (project / "run.py").write_text("raise SystemExit(3)")
        assert raas("submit", str(project), "--follow").returncode == 4
    assert raas("jobs").returncode == 3


def test_stop_works_while_web_page_and_gateway_are_frozen(tmp_path: Path) -> None:
    program = "import gym, gym_raas\nenv = gym.make('raaspendulum-v0')\nwhile True: env.step([2.0])\n"
    with running_appliance(tmp_path) as appliance:
        job = appliance.submit({"run.py": program})
        appliance.reaches(job.id, State.RUNNING)
        eventually(lambda: appliance.client.robot().command != 0.0, 20.0, "the motor is driven")
        frozen = pids_of("webui", appliance.paths.data) + pids_of("realtime.gateway", appliance.paths.data)
        assert len(frozen) == 2
        for pid in frozen:
            os.kill(pid, signal.SIGSTOP)
        data = ["--data", str(appliance.paths.data), "--runtime-root", str(appliance.paths.runtime.parent)]
        done = subprocess.run(
            [sys.executable, "-m", "appliance.cli", *data, "stop"], capture_output=True, text=True, cwd=REPOSITORY
        )
        assert done.returncode == 0, done.stderr
        assert "The motor is off" in done.stdout
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
        assert appliance.client.robot().command == 0.0
        ended = appliance.finished(job.id)
        assert (ended.state, ended.reason) == (State.CANCELLED, "emergency_stop")


def pids_of(module: str, data: Path) -> list[int]:
    return [process.pid for process in processes(f"appliance.{module} ") if str(data) in process.command]
