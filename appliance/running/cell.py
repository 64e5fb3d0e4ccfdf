"""What may a job's container do? Its specification as plain data, and what any kind of cell must be able to do.

A cell has no network, a read-only root, no capabilities, few system calls, its own user, and limited memory,
processes, CPU time, files and shared memory; it stays off the motor loop's core. It is up before its job comes: its
Python has started, imported what most programs import, and waits for the word (image_build/raas_cell.py). `docker_cell`
makes one of Docker Engine's containers.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from appliance.lease_shapes import NetworkTiming
from appliance.running.output import Capture
from gym_raas.wire import ENVIRONMENT_VARIABLE, JOB_SOCKET_DIR

WORK_DIR: Final = "/job"
#: stderr goes into stdout's pipe: two pipes would lose the order between them.
COMMAND: Final = ("sh", "-c", "exec python3 run.py 2>&1")
#: Labels of every container; the first one's value is the appliance's tag.
LABEL: Final = "raas"
LABEL_SESSION: Final = "raas.session"
#: Where packages of the job's own are mounted.
LAYER_DIR: Final = "/layer/site"
#: Says to a Python that it is to wait: WARM with the usual packages imported, COLD with nothing.
WAIT_VARIABLE: Final = "RAAS_CELL"
WARM: Final = "warm"
COLD: Final = "cold"
#: The word, on standard input.
WORD: Final = b"\n"
#: Which system calls there are in a cell.
SECCOMP_FILE: Final = Path(__file__).with_name("seccomp.json")
_SECCOMP: Final = json.dumps(json.loads(SECCOMP_FILE.read_text()))  # Docker's API wants the profile itself

_SHM_BYTES: Final = 16 << 20
TMP_FILES: Final = 16_384
_OPEN_FILES: Final = 1024
_LOCKED_BYTES: Final = 64 << 10
_CPU_SHARES: Final = 512  # half of what other processes get


@dataclass(frozen=True)
class Limits:
    """What a job may take. cores: the CPUs it may run on. cpus: CPU seconds per second."""

    uid: int
    memory_mb: int
    pids: int
    cpus: float
    tmp_mb: int
    cores: tuple[int, ...]


@dataclass(frozen=True)
class Fitting:
    """What of a cell depends on the job before it comes. layer: a folder of packages that the image lacks."""

    image: str
    layer: Path | None = None


@dataclass(frozen=True)
class Spec:
    """One job's cell: its name, what is mounted into it, and its limits.

    source: the folder that gets the repository, `run.py` at its root. session: the one in which the job's socket appears.
    simulated: without the folder of the job's socket, and told so, so that gym_raas simulates the robot.
    """

    name: str
    fitting: Fitting
    source: Path
    session: Path
    labels: dict[str, str]
    limits: Limits
    imports_ahead: bool = True
    simulated: bool = False


@dataclass(frozen=True)
class Finding:
    """One limit: whether it held, and what was seen when it was exceeded."""

    limit: str
    held: bool
    seen: str


@dataclass(frozen=True)
class Exit:
    """How run.py ended. code: as a shell counts it, 128 + n for signal n; None if nobody knows.

    signalled: the engine sent it a signal that nobody here asked for, as it does when it is stopped.
    gone: why a program elsewhere drives no longer, where it didn't end by itself. network: what the network cost it.
    """

    code: int | None
    out_of_memory: bool
    signalled: bool = False
    gone: str = ""
    network: NetworkTiming | None = None


class Cell(Protocol):
    """A place for one run of run.py, up and waiting. Every method may raise EngineError."""

    def start(self, capture: Capture) -> None:
        """Let run.py begin, its output going to `capture`."""

    def wait(self, timeout_s: float) -> bool:
        """Whether it has ended within the time, run.py or what waits for the word."""

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

    def create(self, spec: Spec) -> Cell:
        """A cell that is up and waits for the word. Raises EngineError; nothing is left behind then."""

    def prove(self, waiting: Cell, output: Path) -> tuple[Finding, ...]:
        """Try each limit in a waiting cell that has the probe as its source. Raises EngineError."""

    def version(self) -> str:
        """Of whatever makes the cells. Raises EngineError."""

    def sweep(self, keep: Collection[str] = ()) -> int:
        """Remove all cells of this appliance but those of these names; returns how many. Raises EngineError."""


def job_cores(available: Iterable[int], loop_core: int) -> tuple[int, ...]:
    """The cores for jobs: all but the motor loop's. A machine with one core shares it."""
    cores = sorted(available)
    return tuple(core for core in cores if core != loop_core) or tuple(cores)


def host_config(spec: Spec) -> dict[str, Any]:
    """The arguments of Docker's host configuration, in the words of the `docker` library."""
    limits = spec.limits
    memory = limits.memory_mb << 20
    return {
        "network_mode": "none",
        "read_only": True,
        "tmpfs": {"/tmp": f"rw,noexec,nosuid,nodev,size={limits.tmp_mb}m,nr_inodes={TMP_FILES},mode=1777"},  # noqa: S108
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true", f"seccomp={_SECCOMP}"],
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
    """What of the host is seen inside, read-only: path inside -> path outside."""
    found = {WORK_DIR: spec.source}
    if not spec.simulated:
        found[JOB_SOCKET_DIR] = spec.session
    return found if spec.fitting.layer is None else {**found, LAYER_DIR: spec.fitting.layer}


def environment(spec: Spec) -> dict[str, str]:
    """What is added to the image's environment. The variable that makes Python wait is gone before run.py begins.

    Packages of the job's own may be other versions of those that are imported ahead, so nothing is then.
    """
    common = {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/tmp"}  # noqa: S108
    if spec.simulated:
        common[ENVIRONMENT_VARIABLE] = ""
    if spec.fitting.layer is None:
        return {**common, WAIT_VARIABLE: WARM if spec.imports_ahead else COLD}
    return {**common, WAIT_VARIABLE: COLD, "PYTHONPATH": LAYER_DIR}
