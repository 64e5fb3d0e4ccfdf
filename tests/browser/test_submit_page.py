"""The Submit page in a real browser: repositories, archives, folders."""

from __future__ import annotations

import io
import re
import tarfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watcher
from tests.webui.stage import Stage


def files_of(stage: Stage) -> dict[str, bytes]:
    """The tar file of the newest upload."""
    content = max(stage.paths.inbox.iterdir()).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {entry.name: archive.extractfile(entry).read() for entry in archive}  # type: ignore[union-attr]


def test_a_repository_is_submitted_and_its_job_opens(stage: Stage, page: Page) -> None:
    page.goto("/submit")
    page.locator("#who").fill("Ada")
    page.locator("#git_url").fill("https://example.org/lab/pendulum.git")
    page.get_by_label("Branch, tag or commit").fill("main")
    page.get_by_role("button", name="Submit repository").click()
    page.wait_for_url(re.compile(r"/jobs/[0-9A-Z]{26}$"))
    expect(page.get_by_text("Next in line")).to_be_visible()
    (job,) = stage.store.recent()
    assert (job.source, job.ref, job.submitter) == ("https://example.org/lab/pendulum.git", "main", "Ada@127.0.0.1")


def test_a_bad_address_is_explained_beside_the_form(stage: Stage, page: Page, watcher: Watcher) -> None:
    watcher.expected.add("400 (")
    page.goto("/submit")
    page.locator("#git_url").fill("file:///etc/passwd")
    page.get_by_role("button", name="Submit repository").click()
    expect(page.get_by_role("alert").filter(has_text="fetched over https")).to_be_visible()
    expect(page.get_by_role("button", name="Submit repository")).to_be_enabled()
    assert stage.store.count() == 0


def test_an_archive_is_uploaded(stage: Stage, page: Page) -> None:
    page.goto("/submit")
    page.locator("#archive").set_input_files(
        {"name": "mine.tar.gz", "mimeType": "application/gzip", "buffer": b"archive" * 1000}
    )
    expect(page.get_by_text("mine.tar.gz")).to_be_visible()
    page.locator("#archive_name").fill("My controller")
    page.get_by_role("button", name="Submit files").click()
    page.wait_for_url(re.compile(r"/jobs/"))
    expect(page.get_by_role("heading", level=1)).to_have_text("My controller")
    assert max(stage.paths.inbox.iterdir()).read_bytes() == b"archive" * 1000


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "controller"
    long = "policies/" + "a-rather-long-folder-name/" * 5
    contents = {
        "run.py": b"import gym\n",
        "empty.txt": b"",
        "größe.txt": "ä".encode() * 700,
        f"{long}weights.bin": bytes(range(256)) * 3,
        ".git/config": b"secret",
        "__pycache__/run.pyc": b"old",
    }
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_a_folder_is_packed_in_the_browser_without_what_nobody_needs(
    stage: Stage, page: Page, repository: Path
) -> None:
    page.goto("/submit")
    page.locator("#folder").set_input_files(repository)
    expect(page.get_by_text("4 files")).to_be_visible()
    page.get_by_role("button", name="Submit files").click()
    page.wait_for_url(re.compile(r"/jobs/"))
    expected = {
        f"controller/{path.relative_to(repository).as_posix()}": path.read_bytes()
        for path in repository.rglob("*")
        if path.is_file() and not {".git", "__pycache__"} & set(path.parts)
    }
    assert files_of(stage) == expected


def test_a_folder_without_a_program_is_refused_before_it_is_sent(stage: Stage, page: Page, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "main.py").write_text("")
    page.goto("/submit")
    page.locator("#folder").set_input_files(tmp_path / "empty")
    expect(page.get_by_text("There is no run.py in it.")).to_be_visible()
    page.get_by_role("button", name="Submit files").click()
    expect(page.get_by_text("Choose an archive or a folder first.")).to_be_visible()
    assert stage.store.count() == 0


def test_a_dropped_file_is_taken(stage: Stage, page: Page) -> None:
    page.goto("/submit")
    page.evaluate(
        """() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File(["import gym\\n"], "run.py"));
            document.querySelector("[data-drop]").dispatchEvent(new DragEvent("drop", {dataTransfer: transfer, bubbles: true, cancelable: true}));
        }"""
    )
    expect(page.get_by_text("1 file,")).to_be_visible()
    page.get_by_role("button", name="Submit files").click()
    page.wait_for_url(re.compile(r"/jobs/"))
    assert files_of(stage) == {"run.py": b"import gym\n"}
