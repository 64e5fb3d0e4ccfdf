"""A job's program runs again, whatever it came as, without its source ever leaving the appliance."""

from __future__ import annotations

import io
import tarfile
import time

import pytest

from appliance.jobs import State
from appliance.store import Job, NewJob
from appliance.webui.doorkeeper import Role, needed
from tests.webui.http_calls import Answer, call
from tests.webui.stage import Stage, WebProcess


def ended(stage: Stage, new: NewJob, source: dict[str, str]) -> Job:
    """A job that has run, with what is kept of its source."""
    job = stage.store.add(new, time.time())
    for state in (State.PREPARING, State.WAITING_FOR_ROBOT, State.RUNNING, State.COLLECTING, State.SUCCEEDED):
        stage.store.move(job.id, state, time.time())
    for name, content in source.items():
        path = stage.paths.source(job.id) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return stage.store.get(job.id)


def again(web: WebProcess, job_id: str) -> Answer:
    return call(web.port, "POST", f"/api/jobs/{job_id}/again")


def test_an_archive_is_queued_again_with_the_same_files(stage: Stage, web: WebProcess) -> None:
    files = {"run.py": "print(1)\n", "part/weights.txt": "0.5\n"}
    job = ended(stage, NewJob("archive", "swing.tar.gz", "someone", name="swing"), files)
    answer = again(web, job.id)
    assert answer.status == 201, answer.body
    queued = stage.store.get(answer.json["id"])
    assert (queued.state, queued.source, queued.name) == (State.QUEUED, "swing.tar.gz", "Again: swing")
    with tarfile.open(fileobj=io.BytesIO(stage.paths.upload(queued.id).read_bytes())) as tar:
        assert {each.name for each in tar if each.isfile()} == set(files)
    assert again(web, queued.id).status == 409, "it hasn't been unpacked yet"


def test_a_repository_is_queued_again_at_the_same_commit(stage: Stage, web: WebProcess) -> None:
    job = ended(stage, NewJob("git", "https://example.org/a.git", "someone", ref="main", name="Again: a"), {})
    answer = again(web, job.id)
    assert (answer.json["source"], answer.json["ref"], answer.json["name"]) == (job.source, "main", "Again: a")


def test_what_isnt_kept_any_more_is_said(stage: Stage, web: WebProcess) -> None:
    job = ended(stage, NewJob("archive", "gone.zip", "someone"), {})
    answer = again(web, job.id)
    assert (answer.status, "isn't kept" in answer.json["message"]) == (409, True)
    assert len(stage.store.queue()) == 0
    assert again(web, "0" * 26).status == 404


@pytest.mark.parametrize("path", ["/api/jobs/X/again"])
def test_whoever_may_submit_may_ask(path: str) -> None:
    assert needed("POST", path) is Role.SUBMITTER
