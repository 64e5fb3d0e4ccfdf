"""How does the whole appliance start in the foreground? The entry point behind `make run` and `raas up`.

Twin (unless a real pigpiod is configured), guard (which starts loop and gateway), runner, web UI; Docker Engine and the
job image first. Ctrl-C or SIGTERM stops all of them, the motor first, and leaves nothing running.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import sys
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from types import FrameType

from rich.console import Console
from rich.panel import Panel

from appliance import config as configuration
from appliance import engine, own_page, ulid
from appliance.care import foreground
from appliance.config import Config
from appliance.errors import InUse, RaasError
from appliance.paths import Paths
from appliance.realtime import motor_off
from appliance.realtime.control import GuardClient, Status
from appliance.realtime.cores import keep_off_loop_core
from appliance.store import NewJob, Store
from appliance.supervisor import Child, Supervisor
from image_build import job_image

_READY_S = 30.0
_WATCH_S = 0.1


class _Ended(Exception):
    """SIGTERM or Ctrl-C."""


@dataclass(frozen=True)
class _Setting:
    """What the steps of the start share."""

    paths: Paths
    config_file: Path
    config: Config
    port: int
    console: Console

    @property
    def url(self) -> str:
        """The page's address."""
        return f"{self.config.web.scheme}://{self.config.web.address}:{self.port}"

    def command(self, module: str, *more: str) -> list[str]:
        """The command line of one of our processes."""
        common = ["--data", str(self.paths.data), "--config", str(self.config_file)]
        return [sys.executable, "-m", module, *common, "--runtime-root", str(self.paths.runtime.parent), *more]

    def say(self, what: str, note: str = "") -> None:
        """One line of progress."""
        self.console.print(f"[green]✓[/] {what}" + (f"  [dim]{note}[/]" if note else ""), soft_wrap=True)


def run(paths: Paths, config_file: Path, port: int | None, *, sample: bool, console: Console) -> None:
    """Start everything, stay until SIGINT or SIGTERM, stop everything. Raises RaasError with what to do."""
    config = configuration.load(config_file)
    with _locked(paths), _signals_end_us():
        setting = _Setting(paths, config_file.resolve(), config, _free_port(config, port), console)
        supervisor = Supervisor(lambda name, event: console.print(f"[yellow]![/] {name} {event}"))
        with contextlib.suppress(_Ended):
            _serve(setting, supervisor, sample=sample)
        console.print("[green]✓[/] stopped; all jobs are kept in " + str(paths.data), soft_wrap=True)


def _serve(setting: _Setting, supervisor: Supervisor, *, sample: bool) -> None:
    paths = setting.paths
    for folder in (paths.data, paths.inbox, paths.runtime / "control", paths.logs):
        folder.mkdir(parents=True, exist_ok=True)
    host = setting.config.sandbox.docker_host or engine.docker_host(os.environ)
    with engine.ensure_engine(paths.data / "engine", host, say=setting.say) as docker_client:
        setting.say("Docker Engine", host)
        image = job_image.ensure_job_image(docker_client)
        setting.say("job image", image)
        try:
            keep_off_loop_core(setting.config.realtime.cpu)  # and all children with us; the loop goes there by itself
            _start_all(setting, supervisor, sample=sample)
            _greet(setting)
            told: list[foreground.Process] = []
            while True:
                supervisor.watch(time.monotonic())
                told = _tend(paths, supervisor, told)
                time.sleep(_WATCH_S)
        finally:
            with _signals_ignored():
                setting.console.print("\n[dim]stopping ...[/]")
                supervisor.stop()
                _leave_motor_off(setting)
                _tidy(paths)


def _tend(paths: Paths, supervisor: Supervisor, told: list[foreground.Process]) -> list[foreground.Process]:
    """Restart what somebody wished for on the page or by `raas services`, and tell how all processes are."""
    for name in foreground.wishes(paths):
        supervisor.restart(name, time.monotonic())
    now = [foreground.Process(child.name, child.pid, child.starts - 1) for child in supervisor.children]
    if now != told:
        foreground.publish(paths, now)
    return now


def _tidy(paths: Paths) -> None:
    """Remove what only running processes need. Records of a session that nobody has collected yet stay."""
    shutil.rmtree(paths.runtime, ignore_errors=True)
    paths.live_ring.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        paths.shm.rmdir()


def _leave_motor_off(setting: _Setting) -> None:
    """Switch a real robot's pins off whatever the guard's end was like; a twin has ended with its pins."""
    if setting.config.robot.link == "twin":
        return
    try:
        setting.say(motor_off.switch_off(motor_off.link_of(setting.config), motor_off.pins_of(setting.config)))
    except RaasError as error:
        setting.console.print(f"[red]✗[/] {error}", soft_wrap=True)


def _start_all(setting: _Setting, supervisor: Supervisor, *, sample: bool) -> None:
    paths = setting.paths
    link = _start_robot(setting, supervisor)
    _start_realtime(setting, supervisor, link)
    supervisor.start(_child(setting, "runner", setting.command("appliance.runner")), lambda: True, _READY_S)
    if sample and _queue_sample(paths):
        setting.say("sample job queued", "a swing-up")
    web = _child(setting, "webui", setting.command("appliance.webui", "--port", str(setting.port)))
    supervisor.start(web, lambda: _answers(setting), _READY_S)
    if setting.config.federation.bucket:
        supervisor.start(_child(setting, "federation", setting.command("appliance.federation")), lambda: True, _READY_S)
        setting.say("fleet", f"'{setting.config.federation.fleet}' in the bucket {setting.config.federation.bucket}")
    lease = setting.config.lease
    if lease.enabled:
        supervisor.start(
            _child(setting, "lease", setting.command("appliance.lease")), paths.lease_line.exists, _READY_S
        )
        setting.say("driving over the network", f"{lease.address or setting.config.web.address}, port {lease.port}")
    paths.address.write_text(setting.url)


def _start_robot(setting: _Setting, supervisor: Supervisor) -> str:
    """Start the twin, or take the pigpiod that is there; returns host:port."""
    robot = setting.config.robot
    if robot.link == "pigpiod":
        setting.say("robot", f"pigpiod at {robot.host}:{robot.port or 8888}")
        return f"{robot.host}:{robot.port or 8888}"
    port_file = setting.paths.runtime / "twin.port"
    port_file.unlink(missing_ok=True)
    command = [sys.executable, "-m", "appliance.realtime.twin", "--port-file", str(port_file)]
    command += ["--port", str(robot.port or _unused_port())]
    command += ["--robot", robot.file] if robot.file else []
    command += ["--stop-pin", str(robot.stop_pin), "--loop-cpu", str(setting.config.realtime.cpu)]
    # Below the loop, above everything else: a real pigpiod doesn't wait for jobs either.
    command += ["--fifo-priority", str(setting.config.realtime.priority // 2)]
    supervisor.start(_child(setting, "twin", command), port_file.exists, _READY_S)
    port = port_file.read_text().strip()
    setting.say("robot", f"simulated twin at 127.0.0.1:{port}")
    return f"127.0.0.1:{port}"


def _start_realtime(setting: _Setting, supervisor: Supervisor, link: str) -> None:
    guard = _child(setting, "realtime", setting.command("appliance.realtime.guard", "--link", link))
    supervisor.start(guard, lambda: _guard_ready(setting.paths), _READY_S)
    setting.say("motor loop", f"{setting.config.realtime.rate_hz} Hz")


def _guard_ready(paths: Paths) -> bool:
    try:
        with GuardClient(paths.control("stop")) as guard:
            found = guard.ask(Status())
            return found.loop_alive and found.fault != "link_lost"
    except RaasError:
        return False


def _child(setting: _Setting, name: str, command: list[str]) -> Child:
    return Child(name, command, setting.paths.logs / f"{name}.log")


def _greet(setting: _Setting) -> None:
    lines = f"[bold]{setting.config.name}[/] is ready:  [bold link={setting.url}]{setting.url}[/]\n"
    lines += (
        f"[dim]submit a folder with run.py:  raas submit FOLDER --follow\nlogs: {setting.paths.logs}   Ctrl-C stops[/]"
    )
    setting.console.print(Panel(lines, expand=False, border_style="green", padding=(0, 2)))


def _queue_sample(paths: Paths) -> bool:
    """On an empty database, queue the packaged swing-up example as an archive; True if it was."""
    store = Store(paths.database)
    try:
        if store.count():
            return False
        now_s = time.time()
        job_id = ulid.new(now_s)
        example = resources.files("gym_raas").joinpath("examples", "swing_up")
        with resources.as_file(example) as folder, tarfile.open(paths.upload(job_id), "w:gz") as tar:
            tar.add(folder, arcname=".", filter=lambda entry: None if "__pycache__" in entry.name else entry)
        store.add(NewJob("archive", "swing_up.tar.gz", "sample", name="Sample: swing-up"), now_s, job_id)
        return True
    finally:
        store.close()


def _free_port(config: Config, wanted: int | None) -> int:
    """The port to listen on, proven free. Raises InUse."""
    port = config.web.port if wanted is None else wanted
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((config.web.address, port))
        except OSError as error:
            raise InUse(
                f"Port {port} on {config.web.address} can't be used ({error.strerror}). "
                f"Choose another one: make run PORT={port + 1 if port < 65535 else 8080}"
            ) from error
        return int(probe.getsockname()[1])


def _unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(setting: _Setting) -> bool:
    return own_page.status(setting.config.web, setting.port, "/healthz", 2.0) in (200, 503)


@contextlib.contextmanager
def _locked(paths: Paths) -> Iterator[None]:
    """Hold the data folder; a second appliance on it is refused."""
    try:
        paths.data.mkdir(parents=True, exist_ok=True)
        paths.runtime.mkdir(parents=True, exist_ok=True)
        handle = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise InUse(
            f"{error.filename} can't be used: {error.strerror}. Choose another folder: make run DATA=..."
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise InUse(
            f"An appliance already runs on {paths.data}. Stop it, or choose another folder: make run DATA=..."
        ) from error
    try:
        yield
    finally:
        os.close(handle)


def _end(_number: int, _frame: FrameType | None) -> None:
    raise _Ended


@contextlib.contextmanager
def _signals_end_us() -> Iterator[None]:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.signal(number, _end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _signals_ignored() -> Iterator[None]:
    """While everything is being stopped, an impatient second Ctrl-C must not leave half of it running."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    yield
