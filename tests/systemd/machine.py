"""A booted machine: real systemd as PID 1 over the cached root, in namespaces of its own, forgotten at the end.

Recipe: private mount namespace, fresh cgroup2 on /sys/fs/cgroup, overlay with a tmpfs on top of the root, systemd-nspawn
without register. Commands enter by nsenter. Nothing here speaks to a service manager of the host.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from image_build import services
from tests.systemd import root_tree

ROOT = Path(__file__).resolve().parents[2]
PYTHON = "/usr/lib/raas/bin/python"
BOOT_S = 90.0
PATIENCE_S = 40.0
# $1 folder, $2 name, $3 lower folders, $4 packages, $5 checkout, $6 Docker's data
BOOT = """
mount --make-rprivate / && mount -t cgroup2 none /sys/fs/cgroup || exit 1
mkdir "/sys/fs/cgroup/$2" && echo $$ > "/sys/fs/cgroup/$2/cgroup.procs" || exit 1
mount -t tmpfs none "$1" && mkdir "$1/up" "$1/work" "$1/root" || exit 1
mount -t overlay overlay -o "lowerdir=$3,upperdir=$1/up,workdir=$1/work" "$1/root" || exit 1
exec systemd-nspawn --quiet --register=no --keep-unit --directory="$1/root" --machine="$2" --boot --console=pipe \
    --private-network --capability=all --system-call-filter="add_key keyctl bpf @mount" \
    --bind-ro="$4:/usr/lib/raas/packages" --bind-ro="$5:/usr/lib/raas/code" --bind="$6:/var/lib/docker"
"""
SWEEP = """
mount --make-rprivate / && mount -t cgroup2 none /sys/fs/cgroup
for round in 1 2 3 4 5 6 7 8 9 10; do
    [ -d "/sys/fs/cgroup/$1" ] || exit 0
    find "/sys/fs/cgroup/$1" -depth -type d -exec rmdir {} + 2>/dev/null
    sleep 0.1
done
"""
NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd")
ENVIRONMENT = ("PATH=/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0", "LC_ALL=C.UTF-8")
CONFIG = "name: test\nrealtime: {dead_man_s: 1.0}\nstorage: {min_free_mb: 1}\n"
# Shorter than in earnest, so that nobody waits a minute for a watchdog.
WATCHDOGS = {"raas-twin": 3, "raas-realtime": 15, "raas-runner": 6, "raas-webui": 6}
# For machines, such as some sandboxes, whose kernel lets not even root raise a limit: the means by capability instead.
WITHOUT_LIMITS = "AmbientCapabilities={0}\nCapabilityBoundingSet={0}\nPrivateUsers=no\n"
CAPABILITIES = {"raas-twin": "CAP_SYS_NICE", "raas-realtime": "CAP_SYS_NICE CAP_IPC_LOCK"}

# Where the kernel keeps its controllers in the old hierarchies, Docker Engine must see those to limit anything.
DOCKERD = """#!/bin/sh
grep -qw cpu /sys/fs/cgroup/cgroup.controllers && exec dockerd "$@"
mount -t tmpfs none /sys/fs/cgroup
for group in $(cut -d: -f2 /proc/self/cgroup | grep -v -e = -e '^$'); do
    mkdir "/sys/fs/cgroup/$group" && mount -t cgroup -o "$group" none "/sys/fs/cgroup/$group"
done
exec dockerd "$@"
"""
DOCKER_UNIT = """[Service]
ExecStart=
ExecStart=unshare --mount /usr/local/sbin/dockerd-here -H fd://
"""


def limits_can_be_raised() -> bool:
    return subprocess.run(["prlimit", "--rtprio=90", "true"], capture_output=True).returncode == 0


class Machine:
    """Runs commands inside. `leader` is its PID 1 as the host sees it."""

    def __init__(self, leader: int) -> None:
        self.leader = leader

    def run(self, *command: str, user: str = "", check: bool = True, stdin: str = "") -> str:
        enter = ["nsenter", f"--target={self.leader}", *NAMESPACES]
        clean = ["env", "-i", *ENVIRONMENT]
        become = ["runuser", "-u", user, "--"] if user else []
        done = subprocess.run(
            [*enter, "--", *clean, *become, *command], capture_output=True, text=True, input=stdin, timeout=120
        )
        if check:
            assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout if check else f"{done.returncode} {done.stdout}{done.stderr}"

    def load(self, image: str) -> None:
        """Give its Docker Engine an image of the host's."""
        enter = ["nsenter", f"--target={self.leader}", *NAMESPACES, "--", "env", "-i", *ENVIRONMENT]
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saving:
            subprocess.run([*enter, "docker", "load", "--quiet"], stdin=saving.stdout, check=True, capture_output=True)

    def is_up(self) -> bool:
        """Whether systemd answers; before that, its root is still the host's."""
        said = self.run("systemctl", "is-system-running", check=False)
        return any(word in said for word in ("starting", "running", "degraded"))

    def probe(self, *arguments: str, user: str = "") -> Any:
        return json.loads(self.run(PYTHON, "/usr/lib/raas/code/tests/systemd/probe.py", *arguments, user=user))

    def show(self, unit: str) -> dict[str, str]:
        names = "ActiveState,SubState,Result,MainPID,NRestarts,ActiveEnterTimestampMonotonic,ConditionResult"
        return dict(
            line.split("=", 1) for line in self.run("systemctl", "show", f"--property={names}", unit).splitlines()
        )

    def until(self, condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
        deadline_s = time.monotonic() + patience_s
        while not condition():
            assert time.monotonic() < deadline_s, f"waited in vain for {what}\n{self.journal()}"
            time.sleep(0.1)

    def until_active(self, *units: str) -> None:
        for unit in units:
            self.until(lambda unit=unit: self.show(unit)["ActiveState"] == "active", f"{unit} to be active")

    def journal(self, *units: str) -> str:
        return self.run(
            "journalctl", "--no-pager", "--boot", *(f"--unit={unit}" for unit in units or ("raas-*",)), check=False
        )[-8000:]

    def processes(self) -> list[tuple[str, str]]:
        """User and command of every process of the appliance's users, without those that just look at something."""
        lines = self.run("ps", "-eo", "user:32,args", "--no-headers").splitlines()
        return sorted(
            (user, args) for user, args in (line.split(None, 1) for line in lines) if user.startswith("raas-")
        )


def _prepare(folder: Path, enable: bool) -> Path:
    """What goes over the root: units, configuration, what is different in a test."""
    over = folder / "over"
    services.install(over, enable=enable)
    (over / "etc/raas").mkdir(parents=True)
    (over / "etc/raas/raas.yaml").write_text(CONFIG)
    drop_ins = {name: [f"WatchdogSec={seconds}"] for name, seconds in WATCHDOGS.items()}
    if not limits_can_be_raised():
        for name, capabilities in CAPABILITIES.items():
            drop_ins[name].append(WITHOUT_LIMITS.format(capabilities))
    for name, lines in drop_ins.items():
        target = over / f"etc/systemd/system/{name}.service.d/test.conf"
        target.parent.mkdir(parents=True)
        target.write_text("\n".join(["[Service]", *lines]))
    (over / "usr/local/sbin").mkdir(parents=True)
    (over / "usr/local/sbin/dockerd-here").write_text(DOCKERD)
    (over / "usr/local/sbin/dockerd-here").chmod(0o755)
    (over / "etc/systemd/system/docker.service.d").mkdir()
    (over / "etc/systemd/system/docker.service.d/test.conf").write_text(DOCKER_UNIT)
    # The engine then runs a containerd of its own, which sees what it sees.
    (over / "etc/systemd/system/containerd.service").symlink_to("/dev/null")
    return over


def _packages() -> Path:
    return next((ROOT / ".venv/lib").glob("python3.*/site-packages"))


def _leader(boot: subprocess.Popen[bytes]) -> int:
    """The machine's PID 1: the only child of nspawn."""
    deadline_s = time.monotonic() + BOOT_S
    while True:
        found = Path(f"/proc/{boot.pid}/task/{boot.pid}/children").read_text().split()
        if found and Path(f"/proc/{found[0]}/comm").read_text().strip() == "systemd":
            return int(found[0])
        assert boot.poll() is None, "the machine doesn't boot; its console says why"
        assert time.monotonic() < deadline_s, "the machine doesn't boot in time"
        time.sleep(0.05)


@contextlib.contextmanager
def booted(folder: Path, *, enable: bool = True) -> Iterator[Machine]:
    """A machine whose raas.target was started at boot, unless it isn't to be."""
    root, over, name = root_tree.ready(), _prepare(folder, enable), f"raas-test-{secrets.token_hex(4)}"
    for sub in ("machine", "docker"):
        (folder / sub).mkdir()
    where = [folder / "machine", name, f"{over}:{root}", _packages(), ROOT, folder / "docker"]
    command = ["unshare", "--mount", "sh", "-c", BOOT, "sh", *map(str, where)]
    with (folder / "console").open("wb") as console:
        boot = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
        )
    try:
        machine = Machine(_leader(boot))
        machine.until(machine.is_up, "systemd", BOOT_S)
        yield machine
    finally:
        _end(boot)
        subprocess.run(["unshare", "--mount", "sh", "-c", SWEEP, "sh", name], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _end(boot: subprocess.Popen[bytes]) -> None:
    """End the machine as a power cut does: with its PID 1 all of its processes go."""
    with contextlib.suppress(OSError, AssertionError):
        os.kill(_leader(boot), signal.SIGKILL)
    try:
        boot.wait(20.0)
    except subprocess.TimeoutExpired:
        boot.kill()
        boot.wait()
