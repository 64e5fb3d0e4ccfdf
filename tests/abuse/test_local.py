"""Hostile users of the same machine, hostile rows, hostile text in a terminal, and files that are meant to break a reader."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from appliance import terminal, ulid
from appliance.cli import view
from appliance.errors import BadSource
from appliance.intake import requirements
from appliance.realtime.telemetry import LiveRing, Segment, SegmentSize
from appliance.shapes import JobView
from appliance.store import NewJob
from appliance.webui.submissions import MAX_WAITING
from tests.appliance_process import REPOSITORY, Appliance, eventually
from tests.webui.conftest import set_stage
from tests.webui.http_calls import call, form, post_json
from tests.webui.stage import Stage, WebProcess

NOBODY = 65534
EVIL = "\x1b]0;title\x07\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b2Jred [/nothing] [link=http://evil.example]here"


# --- shared memory, sockets ---------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_folder_of_shared_memory_that_another_user_made_first_is_not_used(tmp_path: Path) -> None:
    victims_file, folder = tmp_path / "precious", tmp_path / "shm"
    victims_file.write_text("precious")
    folder.mkdir()
    (folder / "live").symlink_to(victims_file)
    os.chown(folder, NOBODY, NOBODY)
    with pytest.raises(PermissionError, match="another user"):
        LiveRing(folder / "live", create=True)
    with pytest.raises(PermissionError, match="another user"):
        Segment.create(folder / "0123456789abcdef", 1, SegmentSize(1, 1))
    assert victims_file.read_text() == "precious"


def test_a_link_in_the_place_of_the_live_ring_is_not_followed(tmp_path: Path) -> None:
    victims_file = tmp_path / "precious"
    victims_file.write_text("precious")
    (tmp_path / "live").symlink_to(victims_file)
    with pytest.raises(OSError, match="symbolic links"):
        LiveRing(tmp_path / "live", create=True)
    assert victims_file.read_text() == "precious"


def test_a_folder_of_shared_memory_that_anybody_may_write_in_is_not_used(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(PermissionError, match="anybody"):
        LiveRing(tmp_path / "live", create=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_another_user_of_the_machine_reaches_no_socket_and_writes_no_file(victim: Appliance) -> None:
    code = """
import os, socket, sys
from pathlib import Path
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for right in ("stop", "resume", "runner"):
    try:
        socket.socket(socket.AF_UNIX).connect(f"{sys.argv[1]}/control/{right}.sock")
        print("BROKEN", right)
    except OSError:
        pass
for folder in sys.argv[1:]:
    for base, folders, files in os.walk(folder):
        for path in (base, *(f"{base}/{name}" for name in files)):
            if os.access(path, os.W_OK):
                print("BROKEN", path)
print("end")
"""
    paths = victim.paths
    command = [sys.executable, "-c", code, str(paths.runtime), str(paths.data), str(paths.shm)]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "end\n"


@pytest.mark.parametrize("right", ["stop", "resume"])
@pytest.mark.parametrize(
    "line",
    [b'{"type":"arm","session":"0"}', b'{"type":"disarm","session":"0"}', b"[" * 4000, b"\xff\x00", b"x" * 9000, b""],
)
def test_a_control_socket_gives_no_more_than_its_right(victim: Appliance, right: str, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(victim.paths.control(right)))
        connection.sendall(line + b"\n")
        assert b'"ok":false' in connection.recv(65536)


# --- rows ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "id = '../../../../etc'",
        "id = 'A/B'",
        "state = 'evil'",
        "reason = 'evil'",
        "attempt = 99999",
        "attempt = -1",
        "submitted_at = 9e999",
        "started_at = 1e300",
        "ended_at = -5",
        "source = 'https://['",
        "name = '</pre><script>alert(1)</script>'",
        "image = '../../x', ref = '--upload-pack=x', commit_id = '-x'",
    ],
)
def test_a_hostile_row_breaks_neither_page_nor_queue_nor_api(staged: tuple[Stage, WebProcess], change: str) -> None:
    stage, web = staged
    stage.store.add(NewJob("git", "https://example.org/a", "anna@here"), 1.0)
    db = sqlite3.connect(stage.paths.database, timeout=10)
    try:
        db.execute(f"UPDATE job SET {change}")
        db.execute("INSERT INTO event (at, kind, job_id) SELECT 1.0, 'job', id FROM job")
        db.commit()
        with socket.create_connection(("127.0.0.1", web.port), timeout=10) as stream:
            stream.sendall(b"GET /api/events?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            received = b""
            while b"event: queue" not in received:
                piece = stream.recv(65536)
                assert piece, f"the event stream ended: {received!r}"
                received += piece
        for address in ("/", "/jobs", "/api/jobs", "/api/queue", "/healthz"):
            answer = call(web.port, "GET", address, headers={"Accept": "text/html"})
            assert answer.status == 200, (address, answer.body)
            assert b"<script>alert" not in answer.body or address.startswith("/api/")
    finally:
        db.execute("DELETE FROM job")
        db.commit()
        db.close()


def test_a_flood_of_jobs_ends_at_a_full_queue(staged: tuple[Stage, WebProcess]) -> None:
    stage, web = staged
    stage.store.add(NewJob("git", "https://example.org/a", "anna@here"), 1.0)
    db = sqlite3.connect(stage.paths.database, timeout=10)
    try:
        first = "SELECT id, submitter, source FROM job LIMIT 1"
        numbers = f"WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {MAX_WAITING})"
        columns = "id, queue_key, state, submitter, source_kind, source, submitted_at"
        values = "substr(id, 1, 20) || printf('%06d', i), 1.0, 'queued', submitter, 'git', source, 1.0"
        db.execute(f"INSERT INTO job ({columns}) {numbers} SELECT {values} FROM n, ({first})")
        db.commit()
        answer = post_json(web.port, "/api/jobs", {"git_url": "https://example.org/a"})
        assert (answer.status, answer.json["error"]) == (503, "queue_full")
        db.execute("DELETE FROM job WHERE id = (SELECT max(id) FROM job)")
        db.commit()
        assert post_json(web.port, "/api/jobs", {"git_url": "https://example.org/a"}).status == 201
    finally:
        db.execute("DELETE FROM job")
        db.commit()
        db.close()


@pytest.fixture(scope="module")
def staged() -> Iterator[tuple[Stage, WebProcess]]:
    with set_stage() as stage, stage.serve() as web:
        yield stage, web


# --- terminals ----------------------------------------------------------------------------------------------------------


def test_a_job_can_t_speak_to_the_terminal_of_who_lists_it() -> None:
    job = msgspec.convert({**_JOB, "name": EVIL, "sentence": EVIL, "submitter": EVIL, "ref": EVIL}, JobView)
    written = io.StringIO()
    console = Console(file=written, force_terminal=True, width=400)
    console.print(view.job_table([job]))
    console.print(view.job_card(job))
    console.print(view.done(EVIL))
    assert not {"\x07", "\x9b"} & set(written.getvalue())
    assert "\x1b]" not in written.getvalue()
    assert "\x1b[2J" not in written.getvalue()
    assert "[/nothing]" in written.getvalue()


def test_a_log_on_a_terminal_keeps_its_colours_and_nothing_else(victim: Appliance) -> None:
    job = victim.finished(victim.submit({"run.py": f"print('\\x1b[31m' + {EVIL!r})"}).id)
    command = [sys.executable, "-m", "appliance.cli", "--url", victim.url, "log", job.id]
    outside, inside = pty.openpty()
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=inside, stderr=inside) as process:
        os.close(inside)
        shown = b""
        try:
            while piece := os.read(outside, 65536):
                shown += piece
        except OSError:
            pass  # how a terminal tells its end
    os.close(outside)
    assert process.returncode == 0
    assert shown.strip() == b"\x1b[31mred [/nothing] [link=http://evil.example]here\r\n\x1b[0m"
    raw = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert EVIL in raw


@pytest.mark.parametrize(
    "text", [EVIL, "\x1b", "\x1b[", "\x1b]8;;x", "\x1bP1\x1b\\", "a\x00\x7f\x85b", "\x1b\x1b[31m\x1b[2J"]
)
def test_nothing_but_colours_passes_to_a_terminal(text: str) -> None:
    rest = terminal.output(text).replace("\x1b[31m", "").replace("\x1b[0m", "")
    assert all(character.isprintable() or character in "\n\t" for character in rest)
    assert terminal.line(text).isprintable()


# --- what is submitted ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        "numpy; " + "(" * 5000 + "os_name == 'a'" + ")" * 5000,
        "numpy; python_version > '" + "9" * 5000 + "'",
        "numpy; os_name >= 'a' and python_version ~= 'x'",
        "numpy; 'a' ~= 'b'",
        "nu\0mpy",
    ],
    ids=["nested", "giant_number", "no_order", "no_name", "control_character"],
)
def test_a_requirement_that_breaks_its_reader_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(BadSource, match="line 1"):
        requirements.unmet(line, {"numpy": "1.26.4"})


def test_a_giant_version_is_one_that_isn_t_there() -> None:
    assert requirements.unmet("numpy==" + "9" * 5000, {"numpy": "1.26.4"}) != []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_uploads_that_don_t_say_how_much_they_bring_leave_the_disk_its_reserve(tmp_path: Path) -> None:
    with set_stage("storage: {min_free_mb: 8}\n") as stage:
        stage.paths.inbox.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "none", str(stage.paths.inbox)], check=True)
        try:
            with stage.serve() as web:
                body, headers = form({}, ("a.zip", bytes(12 << 20)))
                chunked = b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"
                with contextlib.suppress(ConnectionError):  # nobody reads the rest of what is refused
                    answer = call(web.port, "POST", "/api/jobs", chunked, {**headers, "Transfer-Encoding": "chunked"})
                    assert answer.status == 507
                assert call(web.port, "GET", "/api/jobs").json["total"] == 0
                eventually(lambda: not list(stage.paths.inbox.iterdir()), 5.0, "half an upload is gone")
        finally:
            subprocess.run(["umount", str(stage.paths.inbox)], check=True)


_JOB = {
    "id": ulid.new(1.0), "state": "failed", "reason": "", "sentence": "", "position": None, "eta_s": None, "attempt": 1,
    "name": "", "submitter": "", "source_kind": "git", "source": "", "ref": "", "commit_id": "", "image": "", "priority": 0,
    "submitted_at": 1.0, "started_at": None, "ended_at": None, "limit_s": 1.0, "exit_code": 1, "steps": 1, "missed_steps": 0,
    "residual": None, "has_bundle": False, "log_bytes": 0,
}  # fmt: skip
