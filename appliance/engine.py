"""Is Docker Engine there, and who starts it? Uses the one that answers, else systemd's, else runs `dockerd` itself.

Only an engine that this process started is stopped by it. Two daemons in one network namespace break each other (the
second takes away the first one's bridge), so none is started beside another.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import docker
import docker.errors
from docker.constants import DEFAULT_TIMEOUT_SECONDS

from appliance.errors import EngineError

DEFAULT_HOST: Final = "unix:///var/run/docker.sock"
START_S: Final = 60.0
NEIGHBOUR_S: Final = 10.0  # a daemon that another program has just started
STOP_S: Final = 40.0  # the daemon itself gives containers 15 s
POLL_S: Final = 0.1
PING_S: Final = 5
LOG_TAIL_LINES: Final = 15
INSTALL_HINT: Final = "Docker Engine isn't installed; run `make setup` (Debian's packages docker.io and iptables)."


def silent(_text: str) -> None:
    """Say nothing: for callers that don't report progress."""


def docker_host(environ: Mapping[str, str]) -> str:
    """The engine's address as the environment gives it (`DOCKER_HOST`), else Docker's usual socket."""
    return environ.get("DOCKER_HOST") or DEFAULT_HOST


def connect(host: str = DEFAULT_HOST) -> docker.DockerClient | None:
    """A client of the engine at `host`, or None if nothing answers there."""
    try:
        client = docker.DockerClient(base_url=host, timeout=PING_S)
    except docker.errors.DockerException:
        return None
    try:
        client.ping()
    except (docker.errors.DockerException, OSError):
        client.close()
        return None
    client.api.timeout = DEFAULT_TIMEOUT_SECONDS
    return client


@contextmanager
def ensure_engine(
    folder: Path,
    host: str = DEFAULT_HOST,
    *,
    say: Callable[[str], None] = silent,
    patience_s: float = START_S,
    proc: Path = Path("/proc"),
) -> Iterator[docker.DockerClient]:
    """Yield a client of the engine at `host`; start the engine first if none answers, and stop that one at the end.

    `folder` takes the daemon's log, and its images when `host` isn't the usual socket. `say` is told what is being
    started. Raises `EngineError` if no engine answers within `patience_s`; the message ends with the daemon's last words.
    """
    client = connect(host)
    if client is not None:
        with _closing(client):
            yield client
        return
    if host == DEFAULT_HOST and _runs_systemd(proc):
        say("starting docker.service")
        _start_service()
        with _closing(_wait_ready(host, Running(), patience_s)) as client:
            yield client
        return
    neighbour = _daemon_in_our_network(proc)
    if neighbour is not None:
        say(f"waiting for dockerd (process {neighbour})")
        with _closing(_wait_ready(host, Running(neighbour=neighbour), min(patience_s, NEIGHBOUR_S))) as client:
            yield client
        return
    say("starting dockerd")
    daemon = Daemon.at(host, folder)
    daemon.forget_dead_containerd(proc)
    with _own_daemon(daemon) as running, _closing(_wait_ready(host, running, patience_s)) as client:
        yield client


@dataclass(frozen=True)
class Daemon:
    """How `dockerd` is started: its arguments, its log file and where it notes its containerd's process id."""

    arguments: tuple[str, ...]
    log: Path
    containerd: Path

    @classmethod
    def at(cls, host: str, folder: Path) -> Daemon:
        """A daemon that listens at `host`. On any but the usual socket it keeps apart from Docker's usual folders."""
        if not host.startswith("unix://"):
            raise EngineError(
                f"No engine answers at {host}, and only one on a unix:// socket can be started from here."
            )
        arguments, exec_root = ["dockerd", "--host", host], "/var/run/docker"
        if host != DEFAULT_HOST:
            # Sockets are made below exec-root; beside the engine's own their paths stay below 108 characters.
            beside = Path(host.removeprefix("unix://"))
            exec_root = f"{beside}.exec"
            arguments += ["--data-root", str(folder.resolve() / "data"), "--exec-root", exec_root]
            arguments += ["--pidfile", f"{beside}.pid"]
        return cls(tuple(arguments), folder / "dockerd.log", Path(exec_root, "containerd", "containerd.pid"))

    def forget_dead_containerd(self, proc: Path) -> None:
        """Remove the note of a containerd that is a zombie.

        A daemon takes it for a live one and waits 15 s for its socket, in vain. Killed with its daemon, it is one for
        as long as process 1 doesn't collect it: for ever, in a container without an init.
        """
        with suppress(OSError):
            status = (proc / self.containerd.read_text().strip() / "status").read_text()
            if "\nState:\tZ" in status:
                self.containerd.unlink()


@dataclass(frozen=True)
class Running:
    """An engine that is coming up: our own process with its log, or another's process, or a service (neither)."""

    process: subprocess.Popen[bytes] | None = None
    log: Path | None = None
    neighbour: int | None = None

    def failure(self) -> str | None:
        """Why it will not come up any more, or None while it may."""
        if self.process is None or self.process.poll() is None:
            return None
        return f"dockerd ended with code {self.process.returncode}."

    def last_words(self) -> str:
        """What a person should read or do next: the end of the log, or where it is."""
        if self.neighbour is not None:
            return (
                f"dockerd (process {self.neighbour}) runs here but doesn't answer there. Set DOCKER_HOST to the socket "
                "that it listens on, or stop it: a second daemon would break the first one's network."
            )
        if self.log is None:
            return "`journalctl -u docker.service` tells more."
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "\n".join([f"The end of {self.log}:", *lines])


@contextmanager
def _own_daemon(daemon: Daemon) -> Iterator[Running]:
    """Run the daemon for the length of the block."""
    daemon.log.parent.mkdir(parents=True, exist_ok=True)
    with daemon.log.open("wb") as log:
        try:
            # A session of its own: Ctrl-C in the terminal is for us, and the daemon outlives the containers' clean-up.
            process = subprocess.Popen(
                daemon.arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        except FileNotFoundError as error:
            raise EngineError(INSTALL_HINT) from error
    try:
        yield Running(process, daemon.log)
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, then SIGKILL for one that doesn't end."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_ready(host: str, running: Running, patience_s: float) -> docker.DockerClient:
    """Poll until the engine answers. Raises `EngineError` when it ends or takes longer than `patience_s`."""
    deadline_s = time.monotonic() + patience_s
    while time.monotonic() < deadline_s:
        client = connect(host)
        if client is not None:
            return client
        failure = running.failure()
        if failure is not None:
            raise EngineError(f"{failure} {running.last_words()}")
        time.sleep(POLL_S)
    raise EngineError(f"Docker Engine didn't answer at {host} within {patience_s:.0f} s. {running.last_words()}")


def _start_service() -> None:
    done = subprocess.run(
        ["systemctl", "start", "docker.service"],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode != 0:
        raise EngineError(f"`systemctl start docker.service` failed: {done.stderr.strip()} {INSTALL_HINT}")


def _runs_systemd(proc: Path) -> bool:
    """Whether process 1 is systemd."""
    try:
        return (proc / "1" / "comm").read_text().strip() == "systemd"
    except OSError:
        return False


def _daemon_in_our_network(proc: Path) -> int | None:
    """The process id of a `dockerd` in this network namespace, or None."""
    ours = os.readlink(proc / "self" / "ns" / "net")
    for pid in daemons(proc):
        try:
            if os.readlink(proc / str(pid) / "ns" / "net") == ours:
                return pid
        except OSError:
            continue  # it ended meanwhile
    return None


def daemons(proc: Path = Path("/proc")) -> Sequence[int]:
    """Process ids of all `dockerd` that this process can see."""
    found = []
    for entry in proc.iterdir():
        try:
            if entry.name.isdigit() and (entry / "comm").read_text().strip() == "dockerd":
                found.append(int(entry.name))
        except OSError:
            continue  # it ended meanwhile
    return found


@contextmanager
def _closing(client: docker.DockerClient) -> Iterator[docker.DockerClient]:
    try:
        yield client
    finally:
        client.close()
