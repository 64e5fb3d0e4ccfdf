"""Repositories, good and bad, from a real git server, through the real confined git."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.config import Config, RobotSection
from tests import host_watch
from tests.servers import git_server
from tests.servers.git_server import GitServer, commit_tree, git, publish
from tests.submissions import RUN, Bench

GOOD = "good.git"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    folder = tmp_path_factory.mktemp("repositories")
    publish(folder, GOOD, {"run.py": RUN, "package/module.py": "x = 1\n", ".gitignore": "*.pyc\n"})
    with git_server.serve(folder) as running:
        yield running


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, allow_http=True, allow_private=True)


def head(server: GitServer, name: str = GOOD, ref: str = "main") -> str:
    return git(server.folder / name, "rev-parse", ref)


def test_a_repository_becomes_a_source(server: GitServer, bench: Bench) -> None:
    job = bench.git(server.url(GOOD))
    with host_watch.unchanged():
        prepared = bench.prepare(job)
    assert prepared.commit_id == head(server)
    assert bench.files(job) == {".gitignore": "*.pyc\n", "package/module.py": "x = 1\n", "run.py": RUN}
    modes = {oct(path.stat().st_mode & 0o7777) for path in bench.paths.source(job.id).rglob("*")}
    assert modes == {"0o644", "0o755"}
    assert not list(bench.paths.source(job.id).rglob(".git"))


def test_branches_tags_and_commits_are_found(server: GitServer, bench: Bench) -> None:
    repository = server.folder / "refs.git"
    first = publish(server.folder, "refs.git", {"run.py": RUN})
    git(repository, "tag", "-a", "v1", "-m", "one", "main")
    later = commit_tree(repository, git(repository, "rev-parse", "main^{tree}"), "feature/new")
    git(repository, "commit-tree", "-m", "moved on", "main^{tree}")
    for ref, commit in {"": first, "main": first, "v1": first, "feature/new": later, first: first}.items():
        assert bench.prepare(bench.git(server.url("refs.git"), ref)).commit_id == commit


def test_a_second_attempt_gets_the_commit_of_the_first(server: GitServer, bench: Bench) -> None:
    first = publish(server.folder, "moving.git", {"run.py": RUN})
    job = bench.git(server.url("moving.git"), "main")
    bench.prepare(job)
    bench.store.explain(job.id, 1.0, job.reason, commit_id=first)
    repository = server.folder / "moving.git"
    git(
        repository,
        "update-ref",
        "refs/heads/main",
        git(repository, "commit-tree", "-m", "next", "-p", "main", "main^{tree}"),
    )
    assert head(server, "moving.git") != first
    assert bench.prepare(bench.store.get(job.id)).commit_id == first


@pytest.mark.parametrize(
    ("place", "name", "ref", "message"),
    [
        ("git", "nothing.git", "", "no repository at"),
        ("private", GOOD, "", "needs a password"),
        ("moved", GOOD, "", "redirects"),
        ("page", GOOD, "", "no address for cloning"),
        ("fault", GOOD, "", "a fault of its own"),
        ("git", GOOD, "nope", "no branch, tag or commit “nope”"),
        ("git", GOOD, "abcdef1", "all of its 40 digits"),
        ("git", GOOD, "0" * 40, "no branch, tag or commit"),
        ("nowhere", GOOD, "", "no repository at"),
    ],
)
def test_failures_are_told_in_peoples_words(
    server: GitServer, bench: Bench, place: str, name: str, ref: str, message: str
) -> None:
    assert message in bench.refusal(bench.git(server.url(name, place), ref))


def test_an_empty_repository_is_said_to_be_empty(server: GitServer, bench: Bench) -> None:
    (server.folder / "empty.git").mkdir()
    git(server.folder / "empty.git", "init", "-q", "--bare")
    assert "empty" in bench.refusal(bench.git(server.url("empty.git")))


def test_a_server_that_never_ends_its_answer_is_left(server: GitServer, tmp_path: Path) -> None:
    bench = Bench(tmp_path, allow_http=True, allow_private=True, timeout_s=1.5)
    began_s = time.monotonic()
    assert "within 1.5 s" in bench.refusal(bench.git(server.url(GOOD, "slow")))
    assert time.monotonic() - began_s < 8


def test_cancelling_ends_a_fetch_at_once(server: GitServer, bench: Bench) -> None:
    before = len(server.requests)
    job = bench.git(server.url(GOOD, "slow"))
    with host_watch.unchanged(), pytest.raises(Exception, match="cancelled"):
        bench.prepare(job, lambda: len(server.requests) > before)
    assert not bench.paths.job(job.id).exists()


def test_nothing_listens_there(bench: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert f"Nothing answers at 127.0.0.1, port {port}" in bench.refusal(bench.git(f"http://127.0.0.1:{port}/a.git"))


def test_an_unknown_name_is_said_to_be_unknown(bench: Bench) -> None:
    assert "can't be resolved" in bench.refusal(bench.git("http://no-such-host.invalid/a.git"))


# --- too big -------------------------------------------------------------------------------------------------


def test_a_huge_repository_is_refused(server: GitServer, tmp_path: Path) -> None:
    noise = os.urandom(3 << 20)
    publish(server.folder, "huge.git", {"run.py": RUN, "data.bin": noise})
    bench = Bench(tmp_path, allow_http=True, allow_private=True, max_mb=1)
    assert "larger than 1 MiB" in bench.refusal(bench.git(server.url("huge.git")))


def test_an_endless_file_is_cut_off(server: GitServer, tmp_path: Path) -> None:
    bench = Bench(tmp_path, allow_http=True, allow_private=True, max_mb=2)
    assert "larger than 2 MiB" in bench.refusal(bench.git(server.url(GOOD, "endless")))


def test_a_file_that_grows_when_unpacked_is_refused(server: GitServer, bench: Bench) -> None:
    publish(server.folder, "zeros.git", {"run.py": RUN, "zeros": bytes(64 << 20)})
    assert "larger than 8 MiB" in bench.refusal(bench.git(server.url("zeros.git")))


def test_a_tree_of_ten_billion_files_is_refused_before_it_is_written(server: GitServer, bench: Bench) -> None:
    publish(server.folder, "bomb.git", {"run.py": RUN})
    repository = server.folder / "bomb.git"
    run_py = git(repository, "rev-parse", "main:run.py")
    inner = git(repository, "mktree", stdin="".join(f"100644 blob {run_py}\tf{n}\n" for n in range(10)).encode())
    for _ in range(9):
        inner = git(repository, "mktree", stdin="".join(f"040000 tree {inner}\td{n}\n" for n in range(10)).encode())
    top = git(repository, "mktree", stdin=f"040000 tree {inner}\td\n100644 blob {run_py}\trun.py\n".encode())
    commit_tree(repository, top)
    assert "more than 500 files" in bench.refusal(bench.git(server.url("bomb.git")))


# --- hostile content and servers -----------------------------------------------------------------------------


def test_symbolic_links_arrive_as_text_and_are_noted(server: GitServer, bench: Bench) -> None:
    publish(server.folder, "links.git", {"run.py": RUN}, {"passwd": "/etc/passwd", "up": "../../.."})
    job = bench.git(server.url("links.git"))
    notes = bench.prepare(job).notes
    assert bench.files(job)["passwd"] == "/etc/passwd"
    assert not any(path.is_symlink() for path in bench.paths.source(job.id).rglob("*"))
    assert len(notes) == 1
    assert "passwd, up" in notes[0]


def test_run_py_as_a_link_is_refused(server: GitServer, bench: Bench) -> None:
    publish(server.folder, "linked.git", {"main.py": RUN}, {"run.py": "main.py"})
    assert "symbolic link" in bench.refusal(bench.git(server.url("linked.git")))


@pytest.mark.parametrize("name", [".git", ".GIT", ".git\u200c", "git~1"])
def test_a_git_folder_in_the_tree_is_refused(server: GitServer, bench: Bench, name: str) -> None:
    repository = f"{name.encode().hex()}.git"
    publish(server.folder, repository, {"run.py": RUN})
    folder = server.folder / repository
    hook = git(folder, "hash-object", "-w", "--stdin", stdin=b"#!/bin/sh\ntouch /tmp/hooked\n")
    hooks = git(folder, "mktree", stdin=f"100755 blob {hook}\tpost-checkout\n".encode())
    evil = git(folder, "mktree", stdin=f"040000 tree {hooks}\thooks\n".encode())
    run_py = git(folder, "rev-parse", "main:run.py")
    commit_tree(
        folder, git(folder, "mktree", stdin=f"040000 tree {evil}\t{name}\n100644 blob {run_py}\trun.py\n".encode())
    )
    assert "unsafe" in bench.refusal(bench.git(server.url(repository)))


def test_submodules_filters_and_lfs_run_nothing(server: GitServer, bench: Bench) -> None:
    repository = server.folder / "sub.git"
    publish(
        server.folder,
        "sub.git",
        {
            "run.py": RUN,
            ".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = -u./evil\n\tupdate = !touch evil\n',
            ".gitattributes": "*.py filter=evil\n*.bin filter=lfs\n",
        },
    )
    listing = f"{git(repository, 'ls-tree', 'main')}\n160000 commit {head(server)}\tx\n"
    # The URL that begins with a dash is refused by fsck; a plain one is only not followed.
    commit_tree(repository, git(repository, "mktree", "--missing", stdin=listing.encode()))
    assert "unsafe" in bench.refusal(bench.git(server.url("sub.git")))
    blob = git(
        repository, "hash-object", "-w", "--stdin", stdin=b'[submodule "x"]\n\tpath = x\n\turl = https://127.0.0.1/x\n'
    )
    listing = listing.replace(git(repository, "rev-parse", "main:.gitmodules"), blob)
    commit_tree(repository, git(repository, "mktree", "--missing", stdin=listing.encode()))
    notes = bench.prepare(bench.git(server.url("sub.git"))).notes
    assert [note.split()[0] for note in notes] == ["Submodules", "Files"]


def test_a_redirect_leads_nowhere_else(server: GitServer, bench: Bench, tmp_path: Path) -> None:
    with git_server.serve(tmp_path) as other:
        server.redirect_to = other.url("").rstrip("/")
        git(server.folder / GOOD, "update-server-info")
        for place in ("elsewhere", "dumb"):
            bench.refusal(bench.git(server.url(GOOD, place)))
        assert other.requests == []


def test_a_servers_message_can_neither_paint_nor_run(server: GitServer, bench: Bench) -> None:
    message = bench.refusal(bench.git(server.url(GOOD, "rude")))
    assert "go away" in message
    assert not set("\x1b\x07\r\u202e") & set(message)


# --- where it may go -----------------------------------------------------------------------------------------


def test_http_and_private_addresses_are_refused_by_default(server: GitServer, tmp_path: Path) -> None:
    before = len(server.requests)
    bench = Bench(tmp_path)
    assert "fetch.allow_http" in bench.refusal(bench.git(server.url(GOOD)))
    secure = server.url(GOOD).replace("http:", "https:")
    for host in ("127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"):
        assert "fetch.allow_private" in bench.refusal(bench.git(secure.replace("127.0.0.1", host)))
    assert len(server.requests) == before


def test_the_appliances_own_ports_are_never_fetched_from(server: GitServer, bench: Bench) -> None:
    before = len(server.requests)
    bench.config = Config(fetch=bench.config.fetch, robot=RobotSection(port=server.server_port))
    for host in ("127.0.0.1", "localhost", "0.0.0.0", "127.9.9.9"):
        url = server.url(GOOD).replace("127.0.0.1", host)
        assert "this appliance itself" in bench.refusal(bench.git(url))
    assert len(server.requests) == before


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_certificates_are_checked(server: GitServer, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", key, "-out", certificate, "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True,
    )  # fmt: skip
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with git_server.serve(server.folder, tls) as secure:
        stranger = Bench(tmp_path / "a", allow_private=True)
        assert "certificate" in stranger.refusal(stranger.git(secure.url(GOOD)))
        trusting = Bench(tmp_path / "b", allow_private=True, ca_file=str(certificate))
        assert trusting.prepare(trusting.git(secure.url(GOOD))).commit_id == head(server)


def test_nothing_that_a_repository_brings_along_is_run(server: GitServer, bench: Bench, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    evil = f"open({str(trace)!r}, 'w').write('ran')\n"
    names = ("setup.py", "conftest.py", "sitecustomize.py", "usercustomize.py", "gym.py", "numpy/__init__.py", "ast.py")
    files = dict.fromkeys(names, evil) | {
        "run.py": RUN,
        "evil.pth": f"import os; {evil}",
        "setup.cfg": "[metadata]\n",
    }
    files["pyproject.toml"] = '[build-system]\nrequires = []\nbuild-backend = "setup"\nbackend-path = ["."]\n'
    publish(server.folder, "setup.git", files)
    with host_watch.unchanged():
        bench.prepare(bench.git(server.url("setup.git")))
    assert not trace.exists()
