"""What may a job's container do? Its specification as plain data, and what any kind of cell must be able to do.

A cell has no network, a read-only root, no capabilities, its own user, and limited memory, processes, CPU time,
files and shared memory; it stays off the motor loop's core. `docker_cell` makes one of Docker Engine's containers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from appliance.running.output import Capture
from gym_raas.wire import JOB_SOCKET_DIR

WORK_DIR: Final = "/job"
#: stderr goes into stdout's pipe: two pipes would lose the order between them.
COMMAND: Final = ("sh", "-c", "exec python3 run.py 2>&1")
#: Labels of every container; the first one's value is the appliance's tag.
LABEL: Final = "raas"
LABEL_JOB: Final = "raas.job"
LABEL_SESSION: Final = "raas.session"

_SHM_BYTES: Final = 16 << 20
_TMP_FILES: Final = 16_384
_OPEN_FILES: Final = 1024
_LOCKED_BYTES: Final = 64 << 10
_CPU_SHARES: Final = 512  # half of what other processes get


@dataclass(frozen=True)
class Limits:
    """What a job may take. cores: the CPUs it may run on. cpus: CPU seconds per second. seccomp: a profile's JSON."""

    uid: int
    memory_mb: int
    pids: int
    cpus: float
    tmp_mb: int
    cores: tuple[int, ...]
    seccomp: str = ""


@dataclass(frozen=True)
class Spec:
    """One job's cell: its name, what is mounted into it, and its limits.

    source: the repository, `run.py` at its root. session: the folder in which the job's socket appears.
    """

    name: str
    image: str
    source: Path
    session: Path
    labels: dict[str, str]
    limits: Limits


@dataclass(frozen=True)
class Exit:
    """How run.py ended. code: as a shell counts it, 128 + n for signal n; None if nobody knows."""

    code: int | None
    out_of_memory: bool


class Cell(Protocol):
    """A place for one run of run.py, made ready before. Every method may raise EngineError."""

    def start(self) -> None:
        """Let run.py begin; returns when its first process exists."""

    def wait(self, timeout_s: float) -> bool:
        """Whether run.py has ended within the time."""

    def terminate(self) -> None:
        """Ask it to end (SIGTERM); silent if it has."""

    def kill(self) -> None:
        """End it (SIGKILL); silent if it has."""

    def finish(self) -> Exit:
        """After its end: how it ended. All output has been captured when this returns."""

    def remove(self) -> None:
        """Leave nothing of it behind, whatever its state; idempotent."""


class Cells(Protocol):
    """What makes cells, for one appliance."""

    def problem(self) -> str:
        """Why no cell can be made now, as a sentence; '' if one can."""

    def create(self, spec: Spec, capture: Capture) -> Cell:
        """A cell that is ready to start, its output going to `capture`. Raises EngineError."""

    def sweep(self) -> int:
        """Remove all cells of this appliance; returns how many there were. Raises EngineError."""


def job_cores(available: Iterable[int], loop_core: int) -> tuple[int, ...]:
    """The cores for jobs: all but the motor loop's. A machine with one core shares it."""
    cores = sorted(available)
    return tuple(core for core in cores if core != loop_core) or tuple(cores)


def host_config(spec: Spec) -> dict[str, Any]:
    """The arguments of Docker's host configuration, in the words of the `docker` library."""
    limits = spec.limits
    memory = limits.memory_mb << 20
    security = ["no-new-privileges:true"]
    if limits.seccomp:
        security.append(f"seccomp={limits.seccomp}")
    return {
        "network_mode": "none",
        "read_only": True,
        "tmpfs": {"/tmp": f"rw,noexec,nosuid,nodev,size={limits.tmp_mb}m,nr_inodes={_TMP_FILES},mode=1777"},  # noqa: S108
        "cap_drop": ["ALL"],
        "security_opt": security,
        "pids_limit": limits.pids,
        "mem_limit": memory,
        "memswap_limit": memory,  # the sum of both: no swap
        "cpuset_cpus": ",".join(map(str, limits.cores)),
        "nano_cpus": int(min(limits.cpus, len(limits.cores)) * 1e9),
        "cpu_shares": _CPU_SHARES,
        "ipc_mode": "private",
        "shm_size": _SHM_BYTES,
        "oom_score_adj": 1000,
        "init": False,  # the image's entry point is an init already
        "log_config": {"Type": "none", "Config": {}},
        "restart_policy": {"Name": "no"},
    }


def ulimits(spec: Spec) -> dict[str, int]:
    """Limits per process: name -> soft and hard value."""
    return {
        "nofile": _OPEN_FILES,
        "fsize": spec.limits.tmp_mb << 20,
        "core": 0,
        "memlock": _LOCKED_BYTES,
        "msgqueue": 0,
        "nice": 0,
        "rtprio": 0,
    }


def mounts(spec: Spec) -> dict[str, Path]:
    """What of the host is seen inside, read-only, and is there already: path inside -> path outside."""
    return {WORK_DIR: spec.source}


def late_mounts(spec: Spec) -> dict[str, Path]:
    """As `mounts`, but the folder outside needs to be there only when the cell starts: the guard makes it on arming."""
    return {JOB_SOCKET_DIR: spec.session}
