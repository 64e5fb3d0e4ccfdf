"""What happens to a job before it drives: its packages, a trial on the simulation, and what its submitter is told."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from appliance.jobs import Reason, State
from tests.appliance_process import REPOSITORY, Appliance, running_appliance
from tests.layers.wheels import folder, wheel

FOREVER = "import gym, gym_raas\nenv = gym.make('raaspendulum-v0')\nwhile True: env.step([1.0])\n"
SECRET = "hunter2"


@pytest.fixture(scope="module")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    path = tmp_path_factory.mktemp("appliance")
    links = folder(path / "wheels", wheel("hello", needs=("deeper",)), wheel("deeper", "2.0"))
    settings = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links), "PIP_PROXY": f"http://me:{SECRET}@127.0.0.1:9"}
    with running_appliance(path / "data", "job: {preflight_s: 5}\n", environment=settings) as started:
        yield started


def test_a_job_finds_what_its_requirements_ask_for_and_has_no_network(appliance: Appliance) -> None:
    program = (
        "import hello, deeper, numpy, os\n"
        "print(hello.VERSION, deeper.VERSION, os.listdir('/sys/class/net'))\n"
        "print(os.access(os.path.dirname(hello.__file__), os.W_OK), [n for n in os.environ if 'PIP' in n])\n"
    )
    files = {"run.py": program, "requirements.txt": "hello>=1\nnumpy\n"}
    job = appliance.finished(appliance.submit(files).id)
    assert job.state == State.SUCCEEDED, f"{job.sentence}\n{appliance.log(job.id)}"
    assert appliance.log(job.id) == "1.0 2.0 ['lo']\nFalse []\n"
    assert job.notes == ["Installed from requirements.txt: deeper 2.0, hello 1.0."]
    again = appliance.finished(appliance.submit(files).id)
    assert again.state == State.SUCCEEDED
    assert len(list((appliance.paths.data / "layers").iterdir())) == 1


def test_pips_words_are_shown_and_its_settings_are_nowhere(appliance: Appliance) -> None:
    job = appliance.finished(appliance.submit({"run.py": "x = 1", "requirements.txt": "hello>=9\n"}).id)
    assert (job.state, job.reason) == (State.FAILED, Reason.BAD_SOURCE)
    assert "No matching distribution found for hello>=9" in job.sentence
    said = job.sentence + "".join(path.read_text(errors="replace") for path in appliance.paths.logs.iterdir())
    assert SECRET not in said


@pytest.mark.parametrize(
    ("module", "says"), [("flask", "the line “flask” to requirements.txt"), ("sklearn", "“scikit-learn”")]
)
def test_a_missing_module_is_answered_with_what_to_do(appliance: Appliance, module: str, says: str) -> None:
    job = appliance.finished(appliance.submit({"run.py": f"import {module}"}).id)
    assert job.state == State.FAILED
    assert says in job.notes[0]


def test_a_trial_steps_through_the_simulation_and_then_the_job_drives(appliance: Appliance) -> None:
    program = "import gym, gym_raas\nenv = gym.make('raaspendulum-v0')\nfor _ in range(20): env.step([1.0])\n"
    job = appliance.finished(submit_with_trial(appliance, program), 120.0)
    assert (job.state, job.steps) == (State.SUCCEEDED, 20), job.sentence
    (note,) = job.notes
    assert re.fullmatch(r"Pre-flight: will run\. It ended by itself after [\d.]+ s on the simulation\.", note)


def test_a_trial_keeps_a_broken_program_off_the_robot_and_says_why(appliance: Appliance) -> None:
    queued = submit_with_trial(appliance, FOREVER.replace("[1.0]", "['fast']"))
    job = appliance.finished(queued, 120.0)
    assert (job.state, job.started_at) == (State.FAILED, None)
    assert "Pre-flight: will not run" in job.sentence
    assert "Error" in job.sentence
    assert not appliance.paths.job(queued).exists()


def submit_with_trial(appliance: Appliance, program: str) -> str:
    archive = Path(appliance.paths.data) / "trial.zip"
    with zipfile.ZipFile(archive, "w") as target:
        target.writestr("run.py", program)
    return appliance.client.submit_archive(archive, preflight=True).id


def test_the_owner_rules_the_queue_from_the_command_line(appliance: Appliance) -> None:
    assert raas(appliance, "queue", "pause")["paused_by"] == "owner"
    first, second = (appliance.submit({"run.py": "print(1)"}).id for _ in range(2))
    assert raas(appliance, "move", second, "1")["position"] == 1
    assert [job["id"] for job in raas(appliance, "queue")["waiting"]] == [second, first]
    assert raas(appliance, "pin", second)["pinned"]
    assert raas(appliance, "images")[0]["packages"]["gym"] == "0.26.2"
    assert raas(appliance, "queue", "resume")["paused"] is False
    ends = [appliance.finished(job) for job in (first, second)]
    assert [job.state for job in ends] == [State.SUCCEEDED] * 2
    assert (ends[1].started_at or 0.0) < (ends[0].started_at or 0.0)


def raas(appliance: Appliance, *arguments: str) -> Any:
    """What a command prints as JSON."""
    command = [sys.executable, "-m", "appliance.cli", "--url", appliance.url, "--json", *arguments]
    return json.loads(subprocess.run(command, capture_output=True, check=True, cwd=REPOSITORY, timeout=60).stdout)
