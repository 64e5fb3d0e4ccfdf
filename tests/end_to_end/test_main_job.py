"""The main job: submit over HTTP, watch, get the data. Everything real but the robot."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
import requests

from appliance.jobs import State
from appliance.shapes import Report, Result
from tests.appliance_process import Appliance
from tests.patience import eventually
from tests.servers.git_server import GitServer

STEPS = 40
PROGRAM = f"""
import gym, gym_raas
env = gym.make('raaspendulum-v0')
env.reset()
total = 0.0
for k in range({STEPS}):
    obs, reward, done, info = env.step([1.5 if k % 20 < 10 else -1.5])
    total += reward
    print(k, *obs, reward, flush=True)
env.close()
"""


@pytest.fixture(scope="module")
def git_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    folder = tmp_path_factory.mktemp("repositories")
    work = folder / "work"
    work.mkdir()
    (work / "run.py").write_text(PROGRAM)
    git = ["git", "-C", str(work), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "Drive"], check=True)
    subprocess.run([*git, "branch", "feature"], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(work), str(folder / "drive.git")], check=True)
    server = GitServer(folder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.ended.set()
    server.shutdown()


def test_a_git_repository_drives_the_robot_and_its_data_agree_with_what_it_printed(
    appliance: Appliance, git_server: GitServer
) -> None:
    queued = appliance.client.submit_git(git_server.url("drive.git"), "feature", "from git")
    job = appliance.finished(queued.id)
    assert job.state == State.SUCCEEDED, f"{job.sentence}\n{appliance.log(job.id)}"
    assert (job.exit_code, job.steps, job.name, job.ref) == (0, STEPS, "from git", "feature")
    assert len(job.commit_id) == 40

    result = fetch_result(appliance, job.id)
    assert len(result.times) == len(result.obs) == len(result.actions) == len(result.costs) == STEPS
    assert result.actions[:11] == [1.5] * 10 + [-1.5]
    assert not result.failed
    printed = np.array([line.split() for line in result.stdout.splitlines() if line[:1].isdigit()], dtype=float)
    np.testing.assert_allclose(printed[:, 1:4], np.array(result.obs), atol=1e-5)
    np.testing.assert_allclose(-printed[:, 4], np.array(result.costs), atol=1e-4)
    assert np.ptp(np.unwrap(np.arctan2(printed[:, 2], printed[:, 1]))) > 0.5  # it moved


def test_steps_lie_on_the_grid_of_fifty_milliseconds(appliance: Appliance) -> None:
    job = appliance.finished(appliance.submit({"run.py": PROGRAM}).id)
    times = np.array(fetch_result(appliance, job.id).times)
    steps = np.diff(times) / 0.05
    assert np.median(np.abs(steps - np.round(steps))) * 0.05 < 0.002
    assert np.all(np.round(steps) >= 1)


def test_the_log_and_the_states_can_be_followed_live(appliance: Appliance) -> None:
    program = "import time\nprint('begun', flush=True)\ntime.sleep(3)\nprint('done')\n"
    with requests.get(f"{appliance.url}/api/events", stream=True, timeout=60) as stream:
        lines = stream.iter_lines(decode_unicode=True)
        job = appliance.submit({"run.py": program})
        seen = list(states_until_final(lines, job.id))
    order = ["queued", "preparing", "waiting_for_robot", "running", "collecting", "succeeded"]
    assert seen == [state for state in order if state in seen]  # a short state may be over before it is told
    assert {"running", "succeeded"} <= set(seen)
    assert appliance.log(job.id) == "begun\ndone\n"


def test_a_printed_line_is_readable_within_a_second(appliance: Appliance) -> None:
    program = "import time\nprint(time.time(), flush=True)\ntime.sleep(2)\n"
    job = appliance.submit({"run.py": program})
    line = eventually(lambda: appliance.log(job.id), 30.0, "the job has printed")
    assert time.time() - float(line) < 1.0
    appliance.finished(job.id)


def test_the_bundle_is_whole_and_its_sums_are_right(appliance: Appliance, tmp_path: Path) -> None:
    job = appliance.finished(appliance.submit({"run.py": PROGRAM, "weights.txt": "1 2 3"}).id)
    appliance.client.download(job.id, "bundle.zip", tmp_path / "bundle.zip")
    with zipfile.ZipFile(tmp_path / "bundle.zip") as bundle:
        assert bundle.testzip() is None
        files = {Path(name).name: bundle.read(name) for name in bundle.namelist()}
    report = msgspec.json.decode(files["report.json"], type=Report)
    assert {"result.json", "steps.csv", "trace.npz", "output.log"} <= set(report.files)
    for name, digest in report.files.items():
        assert hashlib.sha256(files[Path(name).name]).hexdigest() == digest, name
    trace = np.load(io.BytesIO(files["trace.npz"]))
    assert {"t_us", "counts", "command"} <= set(trace.files)
    assert report.steps == STEPS
    assert report.timing is not None
    assert files["steps.csv"].count(b"\n") == STEPS + 1


@pytest.mark.parametrize("form", ["zip", "tar.gz", "one folder deep"])
def test_archives_of_each_kind_are_taken(appliance: Appliance, tmp_path: Path, form: str) -> None:
    archive = tmp_path / ("a.zip" if form == "zip" else "a.tar.gz")
    tree = tmp_path / "tree"
    home = tree / "pendulum-main" if form == "one folder deep" else tree
    home.mkdir(parents=True)
    (home / "run.py").write_text("print('hello from', __file__)")
    subprocess.run(
        ["python3", "-m", "zipfile", "-c", str(archive), "run.py"] if form == "zip" else ["tar", "czf", str(archive), "."],
        cwd=tree, check=True,
    )  # fmt: skip
    job = appliance.finished(appliance.client.submit_archive(archive).id)
    assert job.state == State.SUCCEEDED, job.sentence
    assert "hello from" in appliance.log(job.id)


def test_a_running_job_can_be_cancelled_and_its_record_stays(appliance: Appliance) -> None:
    program = "import time, gym, gym_raas\nenv = gym.make('raaspendulum-v0')\nwhile True: env.step([2.0])\n"
    job = appliance.submit({"run.py": program})
    appliance.reaches(job.id, State.RUNNING)
    appliance.client.cancel(job.id)
    ended = appliance.finished(job.id, 15.0)
    assert (ended.state, ended.reason) == (State.CANCELLED, "by_user")
    eventually(lambda: appliance.client.robot().command == 0.0, 5.0, "the motor is off")
    assert fetch_result(appliance, job.id).failed


def test_a_queued_job_waits_with_a_reason_and_can_be_cancelled(appliance: Appliance) -> None:
    first = appliance.submit({"run.py": "import time; time.sleep(4)"})
    second = appliance.submit({"run.py": "print(1)"})
    third = appliance.submit({"run.py": "print(1)"})
    waiting = appliance.client.job(third.id)
    assert waiting.position is not None
    assert waiting.sentence
    assert waiting.eta_s is not None
    assert appliance.client.cancel(third.id).state == State.CANCELLED
    assert [appliance.finished(job.id).state for job in (first, second)] == [State.SUCCEEDED] * 2


def test_an_emergency_stop_cancels_the_job_and_pauses_the_queue_until_resumed(appliance: Appliance) -> None:
    program = "import gym, gym_raas\nenv = gym.make('raaspendulum-v0')\nwhile True: env.step([2.0])\n"
    job = appliance.submit({"run.py": program})
    appliance.reaches(job.id, State.RUNNING)
    eventually(lambda: appliance.client.robot().command != 0.0, 20.0, "the motor is driven")
    assert appliance.client.stop("test").stopped
    assert appliance.client.robot().command == 0.0
    ended = appliance.finished(job.id, 15.0)
    assert (ended.state, ended.reason) == (State.CANCELLED, "emergency_stop")
    waiting = appliance.submit({"run.py": "print('after')"})
    eventually(lambda: appliance.client.robot().queue_paused, 5.0, "the queue is paused")
    assert appliance.client.job(waiting.id).state == State.QUEUED
    appliance.client.resume()
    assert appliance.finished(waiting.id).state == State.SUCCEEDED


def test_everything_answers_as_json_for_machines(appliance: Appliance) -> None:
    assert appliance.client.health().ok
    answer = requests.get(f"{appliance.url}/api/jobs/01ARZ3NDEKTSV4RRFFQ69G5FAV", timeout=5)
    assert answer.status_code == 404
    assert set(answer.json()) == {"error", "message"}


def fetch_result(appliance: Appliance, job_id: str) -> Result:
    answer = requests.get(f"{appliance.url}/api/jobs/{job_id}/result.json", timeout=10)
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=Result)


def states_until_final(lines: Iterator[str], job_id: str) -> Iterator[str]:
    """The states of one job as the event stream tells them, each once."""
    kind, last = "", ""
    for line in lines:
        if line.startswith("event:"):
            kind = line.removeprefix("event:").strip()
        elif line.startswith("data:") and kind == "job":
            job = json.loads(line.removeprefix("data:"))
            if job["id"] == job_id and job["state"] != last:
                last = job["state"]
                yield last
                if State(last).is_final:
                    return
