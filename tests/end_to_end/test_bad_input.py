"""Every row of the table of bad input, against a whole appliance: how it ends, what it says, what is gone afterwards."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import docker
import pigpio
import pytest

from appliance.client import Refused
from appliance.config import Config
from appliance.engine import docker_host
from appliance.jobs import State
from appliance.shapes import JobView
from tests.appliance_process import Appliance, running_appliance
from tests.end_to_end.bad_inputs import (
    CONFIG,
    GOOD_PROGRAM,
    PROGRAMS,
    SOURCES,
    Archive,
    BadInput,
    Git,
    Gone,
)
from tests.patience import eventually
from tests.process_table import processes
from tests.second_engine import second_engine
from tests.servers.git_server import GitServer

PINS = (13, 19)
CLEAN_S = 15.0


@pytest.fixture(scope="module")
def git_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    server = GitServer(tmp_path_factory.mktemp("repositories"))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.ended.set()
    server.shutdown()


@pytest.fixture(scope="module")
def careful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """Short limits; fetches from the test's own git server."""
    with running_appliance(tmp_path_factory.mktemp("careful"), CONFIG) as started:
        yield started


@pytest.fixture(scope="module")
def default(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """As it comes: nothing private, nothing without TLS."""
    with running_appliance(tmp_path_factory.mktemp("default")) as started:
        yield started


@pytest.mark.parametrize("row", [row for row in SOURCES if row.states], ids=lambda row: row.name)
def test_a_bad_source_ends_in_words_and_leaves_nothing(
    careful: Appliance, default: Appliance, git_server: GitServer, tmp_path: Path, row: BadInput
) -> None:
    check(default if row.default_config else careful, git_server, tmp_path, row)


@pytest.mark.parametrize("row", [row for row in SOURCES if not row.states], ids=lambda row: row.name)
def test_a_bad_address_is_refused_at_once(
    default: Appliance, git_server: GitServer, tmp_path: Path, row: BadInput
) -> None:
    with pytest.raises(Refused, match=row.message) as refused:
        submit(default, git_server, tmp_path, row)
    assert refused.value.status == 400


@pytest.mark.parametrize("row", PROGRAMS, ids=lambda row: row.name)
def test_a_bad_program_harms_nobody(careful: Appliance, git_server: GitServer, tmp_path: Path, row: BadInput) -> None:
    check(careful, git_server, tmp_path, row)


def test_a_job_that_runs_is_seen_by_what_looks_for_its_processes(careful: Appliance) -> None:
    job = careful.submit({"run.py": "import time\ntime.sleep(60)\n"})
    eventually(lambda: any("run.py" in command for command in processes_of_jobs(careful)), 60.0, "the job is seen")
    careful.client.cancel(job.id)
    careful.finished(job.id)
    eventually(lambda: not processes_of_jobs(careful), CLEAN_S, Gone.PROCESSES.value)


def test_after_all_of_that_a_good_job_runs(careful: Appliance) -> None:
    job = careful.finished(careful.submit({"run.py": GOOD_PROGRAM}).id)
    assert (job.state, careful.log(job.id)) == (State.SUCCEEDED, "hello\n")


def check(appliance: Appliance, server: GitServer, folder: Path, row: BadInput) -> None:
    job = appliance.finished(submit(appliance, server, folder, row).id)
    assert job.state in row.states, f"{job.state}: {job.sentence}\n{appliance.log(job.id)[-2000:]}"
    if job.state == row.states[0]:
        assert job.reason == row.reason
        assert re.search(row.message, job.sentence) or row.message == "^$", job.sentence
    assert re.search(row.log, appliance.log(job.id))
    everything_is_gone(appliance, job, row.gone)


def submit(appliance: Appliance, server: GitServer, folder: Path, row: BadInput) -> JobView:
    match row.submit:
        case Git(url=url, ref=ref):
            return appliance.client.submit_git(url(server), ref, row.name)
        case Archive(content=content):
            file = folder / "archive"
            file.write_bytes(content())
            return appliance.client.submit_archive(file, row.name)


def everything_is_gone(appliance: Appliance, job: JobView, gone: frozenset[Gone]) -> None:
    probes = {
        Gone.PROCESSES: lambda: not processes_of_jobs(appliance),
        Gone.CONTAINERS: lambda: not containers(appliance),
        Gone.MOUNTS: lambda: str(appliance.paths.data) not in Path("/proc/mounts").read_text(),
        Gone.FILES: lambda: not appliance.paths.source(job.id).exists() and not appliance.paths.upload(job.id).exists(),
        Gone.MOTOR: lambda: pins_are_off(appliance),
    }
    for what in gone & probes.keys():
        eventually(probes[what], CLEAN_S, what.value)


def processes_of_jobs(appliance: Appliance) -> list[str]:
    """Processes of this appliance's jobs, git and unpackers, but for the cell that waits for its job."""
    uids = Config()
    return [
        process.command
        for process in processes()
        if (process.uid == uids.sandbox.uid and drives(process.pid, appliance))
        or (process.uid == uids.fetch.uid and descends(process.pid, appliance))
    ]


def drives(pid: int, appliance: Appliance) -> bool:
    """Whether a process is in a cell of this appliance whose job has come."""
    try:
        mounts = Path(f"/proc/{pid}/mountinfo").read_text()
    except OSError:  # gone meanwhile
        return False
    return "/".join(appliance.paths.data.parts[-3:]) in mounts and "/jobs/.cells/" not in mounts


def descends(pid: int, appliance: Appliance) -> bool:
    """Whether one of this appliance's processes started it, or who started it."""
    while pid > 1:
        try:
            if str(appliance.paths.data) in Path(f"/proc/{pid}/cmdline").read_text(errors="replace"):
                return True
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])
        except OSError:  # gone meanwhile
            return False
    return False


def containers(appliance: Appliance) -> list[str]:
    """All but the one that waits for the next job."""
    waiting = {f"raas-{appliance.paths.tag}-{folder.name}" for folder in appliance.paths.job(".cells").glob("*")}
    client = docker.DockerClient(docker_host(os.environ))
    try:
        label = {"label": f"raas={appliance.paths.tag}"}
        return [found.name for found in client.containers.list(all=True, filters=label) if found.name not in waiting]
    finally:
        client.close()


def pins_are_off(appliance: Appliance) -> bool:
    """What pigpio's own client reads at the twin: both pins low and not modulated."""
    pi = pigpio.pi("127.0.0.1", int((appliance.paths.runtime / "twin.port").read_text()))
    try:
        pigpio.exceptions = False
        duties = [pi.get_PWM_dutycycle(pin) for pin in PINS]
        return all(duty in (0, pigpio.PI_NOT_PWM_GPIO) for duty in duties) and not any(pi.read(pin) for pin in PINS)
    finally:
        pigpio.exceptions = True
        pi.stop()


# --- the host's own troubles ----------------------------------------------------------------------------------------

DRIVES = "import gym, gym_raas\nenv = gym.make('raaspendulum-v0')\nfor _ in range(30): env.step([1.5])\n"


def raas_up(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "appliance.cli", "--data", str(folder), "--runtime-root", str(folder / "run")]
    return subprocess.run([*command, "up", "--no-sample", *more], capture_output=True, text=True, timeout=60)


def test_a_taken_port_is_said_with_another_one_to_choose(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = raas_up(tmp_path, "--port", str(port))
    assert done.returncode == 1
    assert re.search(rf"Port {port} on 127\.0\.0\.1 can't be used .*make run PORT={port + 1}", flat(done.stderr))
    assert list(processes(str(tmp_path))) == []


def test_a_second_appliance_on_the_same_folder_is_refused(careful: Appliance) -> None:
    done = raas_up(careful.paths.data, "--port", "0")
    assert done.returncode == 1
    assert "already runs on" in flat(done.stderr)
    assert careful.client.health().ok


def test_a_broken_configuration_is_said_with_file_key_and_what_would_be_right(tmp_path: Path) -> None:
    (tmp_path / "raas.yaml").write_text("job: {limit_s: 7200}\n")
    done = raas_up(tmp_path, "--port", "0")
    assert done.returncode == 1
    assert "raas.yaml: 'job.limit_s' is 7200; it must be a number from 1 to 600" in flat(done.stderr)


def test_when_pigpiod_goes_away_in_the_middle_of_a_job_it_is_run_again(careful: Appliance) -> None:
    job = careful.submit({"run.py": DRIVES})
    careful.reaches(job.id, State.RUNNING)
    eventually(lambda: careful.client.robot().command != 0.0, 20.0, "the motor is driven")
    (twin,) = processes(f"appliance.realtime.twin --port-file {careful.paths.runtime}")
    os.kill(twin.pid, signal.SIGKILL)
    waits = eventually(lambda: in_attempt(careful, job.id, 2), 30.0, "the job waits for its second attempt")
    assert waits.state == State.QUEUED
    assert careful.client.robot().fault == "link_lost"
    resume_until_mended(careful)  # a fault latches until a person has looked
    ended = careful.finished(job.id, 90.0)
    assert (ended.state, ended.attempt) == (State.SUCCEEDED, 2), ended.sentence
    assert (careful.paths.attempt(job.id, 1) / "report.json").exists()
    everything_is_gone(careful, ended, frozenset({Gone.CONTAINERS, Gone.MOTOR}))


def test_a_full_disk_holds_the_queue_and_loses_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(data)], check=True)
    try:
        with running_appliance(data, "storage: {min_free_mb: 16}\n") as appliance:
            running = appliance.submit({"run.py": "import time; time.sleep(6)"})
            behind = appliance.submit({"run.py": GOOD_PROGRAM})
            appliance.reaches(running.id, State.RUNNING)
            filler = data / "filler"
            filler.write_bytes(bytes(52 << 20))
            waits = eventually(lambda: held(appliance, behind.id, "disk_full"), 60.0, "a job waits for room")
            assert re.search(r"MiB are free", waits.sentence)
            with pytest.raises(Refused, match=r"disk is full\. Ask its owner to make room"):
                appliance.submit({"run.py": GOOD_PROGRAM})
            filler.unlink()
            assert [appliance.finished(job.id).state for job in (running, behind)] == [State.SUCCEEDED] * 2
    finally:
        subprocess.run(["umount", str(data)], check=True)


def test_jobs_wait_for_a_stopped_docker_and_run_when_it_is_back(tmp_path: Path) -> None:
    with second_engine() as engine, running_appliance(tmp_path, environment={"DOCKER_HOST": engine.host}) as appliance:
        interrupted = appliance.submit({"run.py": "import time; print('on', flush=True); time.sleep(8)"})
        eventually(lambda: appliance.log(interrupted.id), 60.0, "the job runs")
        engine.stop()
        waits = eventually(
            lambda: says(appliance, interrupted.id, "Docker Engine doesn't answer"), 60.0, "the job waits"
        )
        assert (waits.state, waits.attempt) == (State.QUEUED, 2)
        assert appliance.client.robot().command == 0.0
        behind = appliance.submit({"run.py": GOOD_PROGRAM})
        engine.start()
        assert [appliance.finished(job.id, 120.0).state for job in (interrupted, behind)] == [State.SUCCEEDED] * 2


def held(appliance: Appliance, job_id: str, reason: str) -> JobView | None:
    job = appliance.client.job(job_id)
    return job if job.reason == reason else None


def says(appliance: Appliance, job_id: str, words: str) -> JobView | None:
    job = appliance.client.job(job_id)
    return job if words in job.sentence else None


def in_attempt(appliance: Appliance, job_id: str, attempt: int) -> JobView | None:
    job = appliance.client.job(job_id)
    return job if job.attempt == attempt else None


def resume_until_mended(appliance: Appliance) -> None:
    """The loop refuses to resume as long as it has no link."""

    def mended() -> bool:
        with contextlib.suppress(Refused):
            appliance.client.resume()
        return appliance.client.robot().fault == "none"

    eventually(mended, 30.0, "the fault is cleared")


def flat(text: str) -> str:
    """Text of a terminal without its line breaks."""
    return " ".join(text.split())
