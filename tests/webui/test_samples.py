"""Programs to start from: read, downloaded, queued, and no way to any other file."""

from __future__ import annotations

import io
import tarfile

import pytest

from tests.webui.http_calls import call, form, post_form
from tests.webui.stage import Stage, WebProcess

Shared = tuple[Stage, WebProcess]


def test_each_sample_says_what_it_does_and_is_a_program(shared: Shared) -> None:
    listed = call(shared[1].port, "GET", "/api/samples").json
    assert [sample["name"] for sample in listed] == ["swing_up", "trained", "random"]
    for sample in listed:
        assert sample["about"].endswith(".")
        compile(sample["program"], "run.py", "exec")
        answer = call(shared[1].port, "GET", f"/api/samples/{sample['name']}/run.py")
        assert answer.body.decode() == sample["program"]
        assert "attachment" in answer.headers["content-disposition"]


def test_a_sample_is_queued_as_if_its_folder_had_been_sent(shared: Shared) -> None:
    stage, web = shared
    answer = post_form(web.port, {"sample": "random"})
    assert (answer.status, answer.json["source"]) == (201, "random.tar.gz")
    assert answer.json["name"] == "Sample: Random"
    with tarfile.open(stage.paths.upload(answer.json["id"])) as archive:
        assert archive.getnames() == ["README.md", "run.py"]
        program = archive.extractfile("run.py")
        assert isinstance(program, io.BufferedReader)
        assert b"raaspendulum-v0" in program.read()


def test_a_sample_of_several_files_is_sent_whole(shared: Shared) -> None:
    stage, web = shared
    answer = post_form(web.port, {"sample": "trained"})
    with tarfile.open(stage.paths.upload(answer.json["id"])) as archive:
        assert {"run.py", "policy.py", "weights.txt"} <= set(archive.getnames())
        assert not [name for name in archive.getnames() if "__pycache__" in name]


def test_the_button_on_the_page_leads_to_the_job(shared: Shared) -> None:
    body, headers = form({"sample": "swing_up", "name": ""})
    answer = call(shared[1].port, "POST", "/submit", body, headers)
    assert answer.status == 303
    assert shared[0].store.get(answer.headers["location"].rsplit("/", 1)[1]).name == "Sample: Swing up"


@pytest.mark.parametrize(
    "name", ["calibration", "..", "../../wire.py", "swing_up/../random", "/etc/passwd", "x" * 5000]
)
def test_nothing_else_is_a_sample(shared: Shared, name: str) -> None:
    stage, web = shared
    before = stage.store.count(), sorted(stage.paths.inbox.iterdir())
    assert post_form(web.port, {"sample": name}).status == 404
    assert call(web.port, "GET", f"/api/samples/{name[:200]}/run.py").status == 404
    assert (stage.store.count(), sorted(stage.paths.inbox.iterdir())) == before
