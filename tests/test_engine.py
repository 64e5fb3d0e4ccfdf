"""Docker Engine: found where it runs, started where it doesn't, stopped by nobody but who started it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance import engine
from appliance.errors import EngineError

# Runs in a network of its own: starts an engine, says so, waits for a line, and leaves the block.
STARTS_AN_ENGINE = """
import pathlib, sys
from appliance.engine import ensure_engine
with ensure_engine(pathlib.Path(sys.argv[1]), sys.argv[2], say=print) as client:
    print(client.version()["Version"], flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path: a socket's may have only 107 characters."""
    with tempfile.TemporaryDirectory(prefix="raas-") as name:
        yield Path(name)


@pytest.fixture
def network() -> Iterator[list[str]]:
    """The words that run a program in an empty network namespace."""
    name = f"raas-{uuid.uuid4().hex[:8]}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield ["nsenter", f"--net=/run/netns/{name}", "--"]
    subprocess.run(["ip", "netns", "delete", name], check=True)


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Stands in for /proc on a machine where dockerd runs in our network namespace."""
    for name in ("self/ns", "4711/ns"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "net").symlink_to("net:[1]")
    (tmp_path / "4711" / "comm").write_text("dockerd\n")
    return tmp_path


def test_the_environment_names_the_engine() -> None:
    assert engine.docker_host({}) == "unix:///var/run/docker.sock"
    assert engine.docker_host({"DOCKER_HOST": "unix:///x.sock"}) == "unix:///x.sock"


def test_nothing_answers_at_a_socket_that_is_not_there(folder: Path) -> None:
    assert engine.connect(f"unix://{folder}/none.sock") is None


def test_an_engine_is_started_used_and_stopped(folder: Path, network: list[str]) -> None:
    host = f"unix://{folder}/docker.sock"
    arguments = [*network, sys.executable, "-c", STARTS_AN_ENGINE, str(folder / "state"), host]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stdin is not None
        assert program.stdout.readline() == "starting dockerd\n"
        assert program.stdout.readline()[0].isdigit()
        daemon = int((folder / "docker.sock.pid").read_text())
        client = engine.connect(host)
        assert client is not None
        with engine.ensure_engine(folder, host) as second:
            assert second.ping(), "an engine that answers is used as it is"
        assert client.ping(), "and not stopped by who only used it"
        client.close()
        program.stdin.write("\n")
        program.stdin.close()
        assert program.wait(60) == 0
    assert not Path(f"/proc/{daemon}").exists()
    assert engine.connect(host) is None
    _unmount(folder)


def test_the_zombie_of_a_killed_engine_holds_nobody_up(folder: Path, network: list[str]) -> None:
    """dockerd, finding its note, would wait for that containerd's socket and give up after 15 s."""
    noted = folder / "docker.sock.exec" / "containerd" / "containerd.pid"
    noted.parent.mkdir(parents=True)
    arguments = [
        *network,
        sys.executable,
        "-c",
        STARTS_AN_ENGINE,
        str(folder / "state"),
        f"unix://{folder}/docker.sock",
    ]
    with subprocess.Popen(["true"], stdout=subprocess.PIPE) as zombie:
        assert zombie.stdout is not None
        zombie.stdout.read()
        noted.write_text(str(zombie.pid))
        done = subprocess.run(arguments, input="\n", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[:16]) == (0, "starting dockerd"), done.stderr


def test_the_end_of_the_log_tells_why_an_engine_did_not_start(folder: Path, network: list[str]) -> None:
    state = folder / "state"
    state.mkdir()
    (state / "data").write_text("a file where the daemon wants a folder")
    arguments = [*network, sys.executable, "-c", STARTS_AN_ENGINE, str(state), f"unix://{folder}/docker.sock"]
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "EngineError: dockerd ended with code 1. The end of" in done.stderr
    assert "points to a file" in done.stderr, "the daemon's own words"


def test_no_daemon_is_started_beside_another(folder: Path, proc: Path) -> None:
    started_s = time.monotonic()
    with pytest.raises(
        EngineError, match=r"dockerd \(process 4711\) runs here but doesn't answer there. Set DOCKER_HOST"
    ):
        _use(folder, f"unix://{folder}/docker.sock", proc)
    assert time.monotonic() - started_s < 5
    assert not list(folder.iterdir())


def test_an_engine_elsewhere_is_not_started(folder: Path, proc: Path) -> None:
    (proc / "4711" / "comm").write_text("sleep\n")
    with pytest.raises(EngineError, match="only one on a unix:// socket can be started"):
        _use(folder, "tcp://127.0.0.1:1", proc)


def test_where_systemd_runs_it_is_asked(
    folder: Path, proc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (proc / "1").mkdir()
    (proc / "1" / "comm").write_text("systemd\n")
    program = tmp_path / "systemctl"
    program.write_text('#!/bin/sh\necho "no unit called $2" >&2; exit 5\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(engine, "DEFAULT_HOST", f"unix://{folder}/docker.sock")
    with pytest.raises(EngineError, match=r"no unit called docker\.service"):
        _use(folder, f"unix://{folder}/docker.sock", proc)


def _use(folder: Path, host: str, proc: Path) -> None:
    with engine.ensure_engine(folder, host, patience_s=0.5, proc=proc):
        pass


def _unmount(folder: Path) -> None:
    """Take away what a daemon leaves mounted in its folders."""
    mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in reversed([path for path in mounted if path.startswith(str(folder))]):
        subprocess.run(["umount", place], check=True)
