"""The look at a repository before it is submitted: from the API through the runner's thread to a real git server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from appliance import config as configuration
from appliance.errands import book
from appliance.errands.book import Book, Busy
from appliance.errands.workers import Workers
from appliance.intake import look
from appliance.shapes import CheckGit, GitSeen
from appliance.webui import git_check
from tests.servers import git_server
from tests.servers.git_server import GitServer, git, publish
from tests.webui.conftest import set_stage
from tests.webui.http_calls import Answer, call, post_json
from tests.webui.stage import Stage, WebProcess

RUN = "import gym_raas\n"
FRIENDLY = "fetch: {allow_http: true, allow_private: true}\n"


@dataclass(frozen=True)
class Desk:
    stage: Stage
    web: WebProcess
    server: GitServer

    def ask(self, url: str, ref: str = "", **headers: str) -> Answer:
        self.stage.store.set_fact("runner_heartbeat", str(time.time()), time.time())
        return post_json(self.web.port, "/api/git/check", {"git_url": url, "ref": ref}, **headers)

    def seen(self, url: str, ref: str = "") -> GitSeen:
        return msgspec.convert(self.ask(url, ref).json, GitSeen)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    publish(tmp_path, "good.git", {"run.py": RUN, "deep/inside.py": "x = 1\n"})
    publish(tmp_path, "empty.git", {"main.py": RUN})
    with git_server.serve(tmp_path) as running:
        yield running


@pytest.fixture
def desk(server: GitServer) -> Iterator[Desk]:
    with set_stage(FRIENDLY) as stage, stage.serve() as web:
        stopping = threading.Event()
        threads = Workers(stage.paths, configuration.load(stage.paths.config), stopping).start()
        yield Desk(stage, web, server)
        stopping.set()
        for thread in threads:
            thread.join()


def test_a_repository_is_seen_with_its_branch_and_commit(desk: Desk) -> None:
    found = desk.seen(desk.server.url("good.git"))
    commit = git(desk.server.folder / "good.git", "rev-parse", "main")
    assert (found.ok, found.has_program, found.ref, found.commit) == (True, True, "main", commit)
    assert found.sentence == f"Ready: run.py on branch main, commit {commit[:10]}."


def test_what_would_make_the_job_fail_is_said_now(desk: Desk) -> None:
    lacking = desk.seen(desk.server.url("empty.git"))
    assert (lacking.ok, lacking.has_program) == (False, False)
    assert "no run.py at its top (found: main.py)" in lacking.sentence
    assert "no branch, tag or commit “nope”" in desk.seen(desk.server.url("good.git"), "nope").sentence
    assert "There is no repository at" in desk.seen(desk.server.url("none.git")).sentence
    assert "https" in desk.seen("git@example.org:you/x.git").sentence
    assert desk.server.requests


def test_an_answer_is_asked_once_a_minute_and_an_address_not_too_often(desk: Desk) -> None:
    url = desk.server.url("good.git")
    desk.seen(url)
    asked = len(desk.server.requests)
    for _ in range(3 * git_check.BURST):
        assert desk.seen(url).ok
    assert len(desk.server.requests) == asked
    statuses = [desk.ask(desk.server.url(f"{number}.git")).status for number in range(git_check.BURST + 1)]
    assert 429 in statuses


def test_a_silent_runner_is_said_at_once(stage: Stage, web: WebProcess) -> None:
    stage.store.set_fact("runner_heartbeat", "1.0", time.time())
    answer = post_json(web.port, "/api/git/check", {"git_url": "https://example.org/a/b.git"})
    assert (answer.status, answer.json["error"]) == (503, "no_runner")


def test_the_rules_against_searching_a_network_are_those_of_a_fetch(server: GitServer) -> None:
    strict = configuration.parse("fetch: {allow_http: true}", "test")
    found = look.look(server.url("good.git"), "", strict)
    assert not found.ok
    assert "private or belongs to this network" in found.sentence
    assert server.requests == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "https://example.org/x?y", "http://a/b", "--upload-pack=x", ""])
def test_odd_addresses_go_nowhere(url: str) -> None:
    assert not look.look(url, "", configuration.Config()).ok


def test_a_server_that_sends_only_what_was_asked_for_is_enough(server: GitServer) -> None:
    git(server.folder / "good.git", "config", "uploadpack.allowFilter", "true")
    friendly = configuration.parse(FRIENDLY, "test")
    assert look.look(server.url("good.git"), "main", friendly).has_program


def test_a_server_without_end_is_left_after_seconds(server: GitServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "SECONDS", 1.0)
    found = look.look(server.url("good.git", "slow"), "", configuration.parse(FRIENDLY, "test"))
    assert not found.ok
    assert "has not answered within 1 s" in found.sentence


def test_rows_of_a_stranger_in_the_database_are_judged_anew(desk: Desk) -> None:
    opened = Book(desk.stage.paths.database)
    for number, subject in enumerate(("no JSON", '{"git_url": "file:///etc/passwd"}', '{"git_url": 7}')):
        errand = opened.ask(book.LOOK, subject, time.time(), 60.0, 9)
        deadline_s = time.monotonic() + 20
        while (found := opened.find(book.LOOK, subject)) is not None and found.done_at is None:
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        assert found is not None
        assert found.id == errand.id, number
        assert msgspec.json.decode(found.answer, type=GitSeen).has_program is None
    opened.close()


def test_the_book_takes_only_so_many_and_forgets_what_nobody_waits_for(tmp_path: Path) -> None:
    opened = Book(tmp_path / "raas.db")
    for number in range(3):
        opened.ask(book.LOOK, f"{number}", 100.0, 60.0, 3)
    assert opened.ask(book.LOOK, "1", 101.0, 60.0, 3).subject == "1"
    with pytest.raises(Busy, match="3 others"):
        opened.ask(book.LOOK, "another", 101.0, 60.0, 3)
    assert opened.claim(book.LOOK, 200.0, 20.0) is None
    first = opened.ask(book.LOOK, "another", 201.0, 60.0, 3)
    claimed = opened.claim(book.LOOK, 202.0, 20.0)
    assert claimed is not None
    assert claimed.id == first.id
    assert opened.claim(book.LOOK, 202.0) is None
    opened.begin_anew()
    again = opened.claim(book.LOOK, 203.0)
    assert again is not None
    opened.answer(again, "{}", 204.0)
    assert opened.ask(book.LOOK, "another", 220.0, 60.0, 3).done_at == 204.0
    assert opened.ask(book.LOOK, "another", 300.0, 60.0, 3).done_at is None
    opened.close()


def test_the_subject_that_is_asked_is_what_was_typed_without_its_edges(desk: Desk) -> None:
    url = desk.server.url("good.git")
    assert desk.seen(f"  {url} ").ok
    opened = Book(desk.stage.paths.database)
    assert opened.find(book.LOOK, msgspec.json.encode(CheckGit(git_url=url)).decode()) is not None
    opened.close()


def test_whoever_may_not_submit_may_not_look() -> None:
    with set_stage("robot: {link: pigpiod}\nweb: {submit: token}\n") as stage:
        (stage.paths.identity).mkdir(parents=True, exist_ok=True)
        with stage.serve() as web:
            answer = post_json(web.port, "/api/git/check", {"git_url": "https://example.org/a/b.git"})
            assert answer.status in (401, 403)
            assert call(web.port, "GET", "/api/git/check").status in (403, 404, 405)
